"""One driver a file."""

from __future__ import annotations
