"""Rules in, decision out; pure."""

from __future__ import annotations
