"""The one way a tool runs."""

from __future__ import annotations
