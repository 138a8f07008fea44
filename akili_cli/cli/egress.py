"""The one filter of this process, there before anything is configured, so that even a crash report is clean."""

from __future__ import annotations

from akili_cli.adapters.telemetry.redact import Redactor

redactor = Redactor()
