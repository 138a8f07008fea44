"""Calls that wait for a human at a gateway, and the people who may rule on them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from akili_cli.domain.calls import Principal, Run, Source, ToolCall
from akili_cli.domain.ids import new_uuid
from tests.fakes.http_app import Gateway

_WORKS = ["read_files", "write_files", "shell_exec"]
TEAM: dict[str, Any] = {
    "security.roles": {
        "operator": {
            "permissions": [*_WORKS, "approve"],
            "max_risk_level": "medium",
            "require_approval": ["write_files"],
        },
        "lead": {
            "permissions": [*_WORKS, "approve"],
            "max_risk_level": "critical",
            "require_approval": ["shell_exec"],
        },
        "viewer": {"permissions": ["read_files"], "max_risk_level": "low"},
        "admin": {"permissions": _WORKS, "max_risk_level": "critical"},
    },
    "security.user_roles": {"root": "admin", "vic": "viewer", "ben": "lead"},
}
"""ann is an operator, ben may rule on everything, vic on nothing; root, an admin, sees everything and may not rule."""

WRITES = """\
---
name: Note
agent_role: executor
category: tests
tools_required: [file_write]
risk_level: medium
default_budget: 1
inputs:
  text: {type: string, required: true, help: what to write}
---

# Note

## Procedure

```yaml akili
id: write
title: write it
tool: file_write
with: {path: "%s", content: "${inputs.text}"}
on_fail: stop
```
"""


def place_of(gateway: Gateway) -> Path:
    """Give the file that held calls write."""
    return gateway.app.state.start.cwd / "note.txt"


def run_of(user: str = "ann", **more: Any) -> Run:
    return Run(id=new_uuid(), principal=Principal(user, Source.HTTP), correlation_id="c" * 16, **more)


def writes(gateway: Gateway, content: str = "held") -> ToolCall:
    return ToolCall(new_uuid(), "file_write", {"path": str(place_of(gateway)), "content": content})


async def held(gateway: Gateway, user: str = "ann", call: ToolCall | None = None, **more: Any) -> str:
    """Put a call that must wait; give its approval's id."""
    step = await gateway.app.pipeline.run(call or writes(gateway), run_of(user, **more))
    assert step.approval_id is not None, step
    return step.approval_id


def grave(command: str = "kill 1") -> ToolCall:
    """Give a call of high risk."""
    return ToolCall(new_uuid(), "shell_exec", {"command": command})


async def planned(gateway: Gateway, *contents: str, user: str = "ann") -> str:
    """Plan to write the file once for each content; give the plan's id."""
    run = run_of(user, plan=True)
    for content in contents:
        await gateway.app.pipeline.run(writes(gateway, content), run)
    plan = await gateway.app.approvals.plans.seal(run, "note")
    assert plan is not None
    return plan.id


def put_runbook(gateway: Gateway) -> str:
    """Put a runbook that writes its input into the file; give its name."""
    folder = gateway.app.state.workspace.runbooks_dir
    folder.mkdir(mode=0o700, exist_ok=True)
    (folder / "note.md").write_text(WRITES % place_of(gateway))
    return "note"
