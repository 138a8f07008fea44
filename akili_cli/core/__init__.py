"""What a security reviewer must read, top to bottom."""

from __future__ import annotations
