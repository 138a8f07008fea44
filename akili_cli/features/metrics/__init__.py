"""What is counted is what is recorded: metrics out of the records of the audit."""

from __future__ import annotations
