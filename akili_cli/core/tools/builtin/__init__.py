"""The built-in tools, one file each."""

from __future__ import annotations
