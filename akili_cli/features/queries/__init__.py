"""Questions that came in over the network: kept until they are answered, whatever happens to the process."""
