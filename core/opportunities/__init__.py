"""Opportunities: the next savings, what each is worth a month and how sure that is; and what came of those taken."""
