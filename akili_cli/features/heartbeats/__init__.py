"""Periodic tasks written in Markdown files."""

from __future__ import annotations
