"""Taking work in: files and uploads become stored items and their classes."""
