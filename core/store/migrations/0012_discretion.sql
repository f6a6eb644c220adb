-- A workspace that was made metadata-only stays so, whoever opens it.
CREATE TABLE discretion (
    since  TIMESTAMPTZ NOT NULL DEFAULT now()
);
