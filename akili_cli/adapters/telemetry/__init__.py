"""Logs and redaction."""

from __future__ import annotations
