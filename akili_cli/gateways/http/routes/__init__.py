"""Every route of the gateway, by noun."""
