-- What may be spent and what was called off: cancels as intents, the halt of all sending, and typed confirmations.

ALTER TABLE job ADD COLUMN cancel_requested_at TIMESTAMPTZ;      -- a person called it off; carried out until it is
ALTER TABLE job ADD COLUMN cancel_accepted_at TIMESTAMPTZ;       -- the API took the cancel of its batch

-- While a row has not been lifted, nothing is sent.
CREATE TABLE halt (
    halted_at  TIMESTAMPTZ NOT NULL,
    halted_by  VARCHAR NOT NULL,
    lifted_at  TIMESTAMPTZ,
    lifted_by  VARCHAR
);

-- Who agreed to spend more than a budget allows, and how much.
CREATE TABLE confirmation (
    confirmed_at   TIMESTAMPTZ NOT NULL,
    confirmed_by   VARCHAR NOT NULL,
    plan_id        VARCHAR,
    job_id         VARCHAR,                 -- the repair, where it is no plan
    amount         VARCHAR NOT NULL,        -- as typed
    budgets        VARCHAR[] NOT NULL       -- that it goes over: job | day | month; none where only a price is missing
);
