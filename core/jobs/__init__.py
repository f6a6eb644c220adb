"""Jobs: from the plan's claim on its items to results that are verified, priced and, where they failed, repaired."""
