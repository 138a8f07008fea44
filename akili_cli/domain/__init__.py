"""Values, errors and protocols; standard library only."""

from __future__ import annotations
