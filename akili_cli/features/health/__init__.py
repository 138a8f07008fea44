"""Whether this node can do its work: checks, side by side, within one limit."""

from __future__ import annotations
