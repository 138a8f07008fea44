"""The loop between model and pipeline, and what it remembers."""

from __future__ import annotations
