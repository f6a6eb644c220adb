"""Tokens of a text: estimated with a stated error, and what is counted of a request."""
