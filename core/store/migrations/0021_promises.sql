-- Savings that somebody took up, with what was expected of them then; and those that nobody wants to hear of again.

CREATE TABLE promise (
    promise_id         VARCHAR PRIMARY KEY,
    key                VARCHAR NOT NULL,        -- of the opportunity: kind:class
    kind               VARCHAR NOT NULL,        -- see core/opportunities/opportunity.py
    class_id           VARCHAR NOT NULL,
    class_name         VARCHAR NOT NULL,        -- what is measured afterwards: a class keeps its name on another model
    said               VARCHAR NOT NULL,
    confidence         VARCHAR NOT NULL,        -- measured | estimated | assumed
    usd_month          DECIMAL(24, 12) NOT NULL,
    low                DECIMAL(24, 12),         -- it was to lie between these two four times of five
    high               DECIMAL(24, 12),
    baseline_first     DATE NOT NULL,           -- the days (UTC) that the promise is measured against, both included
    baseline_last      DATE NOT NULL,
    baseline_unit_usd  DECIMAL(24, 12) NOT NULL,
    units_month        DOUBLE NOT NULL,         -- as many units as were done in 30 days
    taken_at           TIMESTAMPTZ NOT NULL,
    taken_by           VARCHAR NOT NULL
);

CREATE TABLE dismissal (
    key           VARCHAR PRIMARY KEY,
    usd_month     DECIMAL(24, 12),              -- what it was worth: it comes back once it is worth half as much again
    note          VARCHAR NOT NULL,
    dismissed_at  TIMESTAMPTZ NOT NULL,
    dismissed_by  VARCHAR NOT NULL
);
