"""From a shell command line to the effects it would have, read the way any ``sh`` would read it."""

from __future__ import annotations
