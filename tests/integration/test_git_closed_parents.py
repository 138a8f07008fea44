"""A repository below a directory that is closed to others, as /root is: git in the real sandbox."""

from __future__ import annotations

from pathlib import Path

from akili_cli.bootstrap.app import Start, open_app, open_state
from akili_cli.domain.calls import Principal, Run, Status, ToolCall
from tests.fakes.repositories import make_repository


async def test_git_reads_a_repository_in_a_private_directory(tmp_path: Path) -> None:
    home, closed = tmp_path / "private-home", tmp_path / "closed"
    for place in (home, closed):
        place.mkdir(mode=0o700)
    repo = make_repository(closed / "repo")
    start = Start(env={"HOME": str(home), "PATH": "/usr/bin:/bin"}, cwd=repo)
    async with open_state(start) as state, open_app(state) as app:
        call = ToolCall("c", "git_read", {"subcommand": "log", "repo_path": ".", "args": ["--oneline"]})
        step = await app.pipeline.run(call, Run("r", Principal("ann"), "c" * 16))
    assert step.status is Status.OK, step.text
    assert "second" in step.text
