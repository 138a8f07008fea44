"""What may be asked for."""

from __future__ import annotations
