"""The record: append-only, keyed hash chain."""

from __future__ import annotations
