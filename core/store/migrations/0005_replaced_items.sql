-- An import may replace waiting items by what their owner corrected.
ALTER TABLE import_file ADD COLUMN replaced BIGINT DEFAULT 0;    -- waiting items that have other content now
