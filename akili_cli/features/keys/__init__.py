"""API keys: made for a user, shown once, kept as a hash, revoked at once."""
