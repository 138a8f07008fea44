"""Recurring goals: jobs that run as whoever made them."""

from __future__ import annotations
