"""What to commit to: payment under a contract on sample paths of demand, and the commitment that costs least."""
