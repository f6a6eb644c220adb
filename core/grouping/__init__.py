"""What requests share, pure: prefix trees, borders inside texts, classes, and the order of fields that shares most."""
