"""What we call out to."""

from __future__ import annotations
