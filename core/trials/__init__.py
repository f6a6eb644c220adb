"""Trials: whether another model clears the bar of a class, found out on copies of its items, in priced rounds."""
