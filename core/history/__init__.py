"""Account history: batches that others sent on the account, with classes named from their custom_ids."""
