-- The model that a class's work would have run on, where its owner says so: what savings by routing are reckoned from.

CREATE TABLE baseline (
    class_id     VARCHAR PRIMARY KEY,
    model        VARCHAR NOT NULL,
    declared_at  TIMESTAMPTZ NOT NULL,
    declared_by  VARCHAR NOT NULL
);
