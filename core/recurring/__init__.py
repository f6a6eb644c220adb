"""Recurring schedules: kept by the worker, recommended from what came in."""
