"""Messages to people: stored first, then delivered."""

from __future__ import annotations
