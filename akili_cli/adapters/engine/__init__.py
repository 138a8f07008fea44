"""Runs that survive the process."""

from __future__ import annotations
