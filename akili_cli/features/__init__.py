"""Rooms; none knows another."""

from __future__ import annotations
