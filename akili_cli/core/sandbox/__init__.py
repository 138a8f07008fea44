"""Where processes run."""

from __future__ import annotations
