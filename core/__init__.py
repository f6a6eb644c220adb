"""Lotwise's core: sizes, sends, repairs and prices Claude batch work, without a user interface."""
