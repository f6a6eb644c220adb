"""How much work will come: whole sample paths of the days ahead, each with its own record of past forecasts."""
