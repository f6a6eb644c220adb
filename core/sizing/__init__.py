"""How big a job should be, and what a workspace learned that decides it. Pure."""
