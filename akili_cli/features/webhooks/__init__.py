"""Deliveries from outside that begin a run: whose they are, whether they came before, and how many may."""
