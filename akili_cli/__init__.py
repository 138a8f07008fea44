"""Akili: the operator you can trust with production."""

from __future__ import annotations

__version__ = "0.1.0"
