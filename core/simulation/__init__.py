"""A twin of the service without HTTP: what other sizes, cadences and models would have cost, and when. Pure."""
