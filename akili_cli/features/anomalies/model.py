"""What can be out of the ordinary."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass


class AnomalyKind(enum.StrEnum):
    """The rules."""

    ERROR_RATE = "error_rate"
    BUDGET_SPIKE = "budget_spike"
    DENIAL_BURST = "denial_burst"
    QUICK_APPROVALS = "quick_approvals"


@dataclass(frozen=True, slots=True, kw_only=True)
class Anomaly:
    """One finding. ``subject`` is the operation or the user it is about; ``numbers`` are what was compared.

    ``at`` is when its last record was written, ``entry`` that record's id.
    """

    kind: AnomalyKind
    subject: str
    said: str
    numbers: Mapping[str, float]
    at: float
    entry: str
    correlation_id: str = ""
