"""Secrets by reference: where values come from, and the one door that resolves them."""

from __future__ import annotations
