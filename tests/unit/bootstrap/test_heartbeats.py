from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from akili_cli.bootstrap.app import Start, open_app, open_state
from akili_cli.bootstrap.heartbeats import (
    heartbeat_files,
    heartbeat_schedule,
    open_heartbeat_reader,
    open_heartbeats,
)
from akili_cli.bootstrap.ticking import chores, schedules, switched_on
from akili_cli.domain.calls import Principal, Run, Source, Status, ToolCall
from akili_cli.domain.errors import ConfigError
from akili_cli.domain.ids import new_uuid
from tests.fakes.heartbeats import StubAgent, task_file

ROLE = {"permissions": ["read_files", "write_files", "shell_exec"], "max_risk_level": "critical"}


def start_in(directory: Path, **heartbeats: Any) -> Start:
    (directory / "tasks").mkdir(mode=0o755)
    (directory / "tasks" / "a.md").write_text(task_file(user=None))
    config = directory / "config.json"
    config.write_text(
        json.dumps(
            {
                "heartbeat_tasks": {"tasks_dirs": ["tasks"], **heartbeats},
                "security": {"roles": {"operator": ROLE}, "default_role": "operator"},
                "tools": {"file": {"allowed_paths": ["."]}},
                "policies": {
                    "rules": [{"id": "all", "verdict": "allow", "match": {"users": ["ann"]}, "because": "for the test"}]
                },
            }
        )
    )
    config.chmod(0o600)
    return Start(env=dict(os.environ), cwd=directory, config_path=str(config))


async def test_what_is_switched_on_is_wired_with_the_settings(tmp_path: Path) -> None:
    start = start_in(tmp_path, enabled=True, file_poll_interval_seconds=5, default_user_id="ann")
    async with open_state(start) as state, open_app(state) as app:
        assert switched_on(app) == ("heartbeat",)
        assert [schedule.kind for schedule in schedules(app, ("heartbeat",))] == ["heartbeat"]
        assert [(chore.name, chore.every_s) for chore in chores(app)] == [("heartbeat files", 5.0)]
        assert heartbeat_schedule(app, StubAgent()).pipeline is app.pipeline
        await heartbeat_files(app).tick(0.0)
        task = await open_heartbeat_reader(state).task("look")
        assert (task.user, task.spec.path) == ("ann", str(tmp_path / "tasks" / "a.md"))
        assert open_heartbeats(app).directories == (tmp_path / "tasks",)


async def test_what_is_switched_off_does_not_tick(tmp_path: Path) -> None:
    async with open_state(start_in(tmp_path)) as state, open_app(state) as app:
        assert chores(app) == ()
        with pytest.raises(ConfigError) as wrong:
            switched_on(app)
        assert "heartbeat_tasks.enabled: true" in wrong.value.hint


async def test_switching_on_without_a_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="needs at least one directory"):
        async with open_state(start_in(tmp_path, enabled=True, tasks_dirs=[])):
            pass


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("file_write", {"path": "{}/tasks/evil.md", "content": "x"}),
        ("file_write", {"path": "{}/tasks/a.md", "content": "x"}),
        ("file_read", {"path": "{}/tasks/a.md"}),
        ("shell_exec", {"command": "cp /etc/hostname {}/tasks/evil.md"}),
        ("shell_exec", {"command": "mv {}/tasks {}/away"}),
    ],
    ids=str,
)
async def test_no_tool_may_touch_the_task_files_whatever_a_rule_allows(
    tmp_path: Path, tool: str, arguments: dict[str, str]
) -> None:
    async with open_state(start_in(tmp_path)) as state, open_app(state) as app:
        run = Run(id=new_uuid(), principal=Principal("ann", Source.HEARTBEAT), correlation_id="c")
        call = ToolCall("1", tool, {key: value.replace("{}", str(tmp_path)) for key, value in arguments.items()})
        step = await app.pipeline.run(call, run)
        assert step.status is Status.DENIED
        assert "protected-roots" in step.text
        assert not (tmp_path / "tasks" / "evil.md").exists()
