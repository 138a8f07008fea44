"""The engines there are."""

from __future__ import annotations
