"""The only door to other hosts."""

from __future__ import annotations
