"""Reserving and settling money."""

from __future__ import annotations
