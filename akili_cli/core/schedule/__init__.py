"""What is due, who runs it, and that it runs once."""

from __future__ import annotations
