-- When the jobs of a plan were meant to go and to be back, and what the plan was made for.

ALTER TABLE job ADD COLUMN send_at TIMESTAMPTZ;                  -- planned: jobs go in this order
ALTER TABLE job ADD COLUMN ready_by TIMESTAMPTZ;                 -- its results are expected by then, one repair round included
ALTER TABLE job ADD COLUMN place INTEGER;                        -- in the sending order of its plan, from 0
ALTER TABLE plan ADD COLUMN deadline TIMESTAMPTZ;                -- when the results are needed; null = no matter when
ALTER TABLE plan ADD COLUMN confidence DOUBLE;                   -- how surely they are to be there by then
ALTER TABLE plan ADD COLUMN on_time_probability DOUBLE;          -- how surely they were expected to be
