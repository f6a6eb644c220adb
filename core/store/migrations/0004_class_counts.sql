-- The linear counts of each class's texts, so that no plan reads a text again.

ALTER TABLE class ADD COLUMN prefix_count DOUBLE;                -- of the prefix, in tokens of the older tokenizer
ALTER TABLE class ADD COLUMN suffix_count_per_char DOUBLE;       -- of what follows it, as a mean over some items
ALTER TABLE class ADD COLUMN counted_chars BIGINT;               -- prefix_chars when both were counted; null = never
ALTER TABLE class ADD COLUMN counted_of UBIGINT;                 -- hash of the items that waited then
