-- What cost is divided by where that is not usable items, and the jobs whose kept results are still to be counted.
-- By the name of the class: the same work keeps its unit on another model, and with a changed prompt.
CREATE TABLE class_unit (
    class_name  VARCHAR PRIMARY KEY,
    kind        VARCHAR NOT NULL,       -- output_tokens | json | matches
    place       VARCHAR,                -- json: the field that is an array or a number; matches: the pattern
    noun        VARCHAR NOT NULL        -- what one of them is called
);

CREATE TABLE recount (
    job_id  VARCHAR PRIMARY KEY
);
