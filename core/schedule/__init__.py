"""When jobs go, and whether their results are there in time: deadlines, the window, a whole backlog. Pure."""
