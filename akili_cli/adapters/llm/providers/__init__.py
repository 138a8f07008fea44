"""One provider kind a file."""

from __future__ import annotations
