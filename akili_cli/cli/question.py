"""What ``akili query`` was asked, wherever it is answered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Output = Literal["text", "json", "jsonl"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Everything ``akili query`` was given. ``attachments`` are (label, text) pairs of untrusted text."""

    message: str
    attachments: tuple[tuple[str, str], ...] = ()
    conversation_id: str | None = None
    go_on: bool = False
    autonomous: bool = False
    read_only: bool = False
    plan: bool = False
    max_cost_usd: float | None = None
    max_steps: int | None = None
    stream: bool = False
    timeout_s: float = 300.0
    output: Output = "text"
    runbook: str | None = None
    inputs: tuple[tuple[str, str], ...] = ()
