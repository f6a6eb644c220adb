"""Cache plans, pure: which prefixes are marked and for how long, what that should cost, and how well it came true."""
