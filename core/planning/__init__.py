"""The planning maths, pure: frames and value objects in, value objects out; the time and the prices are arguments."""
