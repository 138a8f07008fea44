"""Runbooks: executable Markdown, matched to a message and played step by step."""

from __future__ import annotations
