"""Terminal in, terminal out."""

from __future__ import annotations
