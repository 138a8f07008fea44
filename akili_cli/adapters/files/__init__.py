"""Paths from outside, safe reads and atomic writes."""

from __future__ import annotations
