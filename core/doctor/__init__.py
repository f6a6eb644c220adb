"""The prefix doctor: what breaks or wastes sharing in a set of requests, where, and for how many dollars."""
