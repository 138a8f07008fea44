"""Settings, where they come from, and what is refused."""

from __future__ import annotations
