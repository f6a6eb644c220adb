"""The command line, and the local API by which it reaches the process that owns a workspace."""
