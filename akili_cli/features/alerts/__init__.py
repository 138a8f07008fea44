"""Rules that check a target and tell people when its state changes."""

from __future__ import annotations
