"""Holding a call until a human decided, and the permit that follows."""

from __future__ import annotations
