"""Hand-over: each item's first usable result, exactly once, to every sink that the user chose."""
