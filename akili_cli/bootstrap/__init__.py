"""The only place that chooses concrete classes."""

from __future__ import annotations
