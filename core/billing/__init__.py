"""What was agreed about prices, and what finished attempts cost by it: kept in the store, re-priced in bulk."""
