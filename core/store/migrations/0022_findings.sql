-- What people say about movements of cost: those that are dealt with, and days on which something was known to happen.

-- A movement is found anew from the data every time: it is known again by its line of work, its kind and its day.
CREATE TABLE finding (
    key          VARCHAR NOT NULL,        -- of the movement when it was resolved
    class_name   VARCHAR,                 -- null = all work together
    kind         VARCHAR NOT NULL,        -- step | days
    since        DATE NOT NULL,
    usd_month    DECIMAL(38, 12) NOT NULL,-- it opens again once it is half as much again
    note         VARCHAR NOT NULL,
    resolved_at  TIMESTAMPTZ NOT NULL,
    resolved_by  VARCHAR NOT NULL,
    reopened_at  TIMESTAMPTZ,             -- by a person
    reopened_by  VARCHAR
);

CREATE TABLE known_event (
    event_id    VARCHAR PRIMARY KEY,
    class_name  VARCHAR,                  -- null = all work
    first_day   DATE NOT NULL,            -- UTC, both included: what moves on them is no alarm
    last_day    DATE NOT NULL,
    said        VARCHAR NOT NULL,
    added_at    TIMESTAMPTZ NOT NULL,
    added_by    VARCHAR NOT NULL,
    removed_at  TIMESTAMPTZ,
    removed_by  VARCHAR
);
