"""The database port and its drivers."""

from __future__ import annotations
