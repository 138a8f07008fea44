"""Undo: what files were before akili changed them."""

from __future__ import annotations
