from __future__ import annotations

import os
from pathlib import Path

import pytest

from akili_cli.cli.opening import checked_rules, loaded_settings, opened_app, opened_state, principal, rules_of, start
from akili_cli.domain.calls import Source
from akili_cli.domain.errors import ConfigError, WorkspaceError


@pytest.fixture(autouse=True)
def _work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")


@pytest.mark.parametrize(("given", "user"), [(None, "cli-user"), ("", "cli-user"), ("ann", "ann")])
def test_whoever_sits_here_is_named_by_the_environment(
    given: str | None, user: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if given is not None:
        monkeypatch.setenv("AKILI_CLI_USER", given)
    assert (principal().user, principal(Source.REPL).source) == (user, Source.REPL)


def test_a_directory_that_is_gone_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(WorkspaceError, match="no longer exists"):
        start()


async def test_a_state_can_be_opened_without_making_a_key_or_a_stream() -> None:
    async with opened_state() as state:
        assert not state.workspace.audit_key.exists()
        assert list(state.workspace.audit_dir.iterdir()) == []
        assert len(rules_of(state).rules) > 10


async def test_an_app_holds_a_pipeline_and_overrides_win() -> None:
    async with opened_app(overrides={"agent.max_steps": 3}) as app:
        assert app.state.loaded.settings.agent.max_steps == 3
        assert str(app.state.workspace.root) in app.protected
        assert app.pipeline.tools.names()[0] == "shell_exec"


def test_the_policy_is_compiled_without_a_database() -> None:
    loaded, rules = checked_rules()
    assert loaded.files == loaded_settings().files == ()
    assert "protected-roots" in {rule.id for rule in rules.rules}
    assert not (Path(os.environ["HOME"]) / ".akili" / "akili.db").exists()


async def test_a_refused_config_opens_nothing() -> None:
    workspace = Path(os.environ["HOME"]) / ".akili"
    workspace.mkdir(mode=0o700)
    (workspace / "config.yaml").write_text("nosuch: 1\n")
    with pytest.raises(ConfigError):
        async with opened_app():
            raise AssertionError
    assert not (workspace / "akili.db").exists()
