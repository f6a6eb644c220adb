-- Who did what: every action that changes, sends or exports, those that were refused too. Rows are never deleted.

CREATE SEQUENCE audit_number;

CREATE TABLE audit (
    number    BIGINT PRIMARY KEY DEFAULT nextval('audit_number'),
    acted_at  TIMESTAMPTZ NOT NULL DEFAULT now(),   -- by the clock of the machine, whatever a caller says
    actor     VARCHAR NOT NULL,             -- e-mail address, user of the machine, or worker
    role      VARCHAR NOT NULL,             -- at that time
    how       VARCHAR NOT NULL,             -- browser, command line or worker
    action    VARCHAR NOT NULL,
    subject   JSON NOT NULL,                -- ids and figures; never a prompt, an output or a secret
    outcome   VARCHAR NOT NULL,             -- begun (and nothing else: the process died meanwhile), done, refused, failed
    sentence  VARCHAR                       -- why it was refused
);
