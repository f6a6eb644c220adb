"""Pure: what a unit costs by any dimension, how sure that is, and how steady it was."""
