"""One file per kind of place that keeps secrets."""

from __future__ import annotations
