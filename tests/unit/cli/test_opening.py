from __future__ import annotations

import json
import logging
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


@pytest.mark.parametrize("as_json", [False, True], ids=["text", "json"])
async def test_what_a_library_logs_comes_out_redacted_on_stderr_only(
    as_json: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DB_PASSWORD", "hunter22-in-production")
    workspace = tmp_path / "home" / ".akili"
    workspace.mkdir(mode=0o700)
    (workspace / "config.json").write_text(json.dumps({"logging": {"json": as_json}}))
    async with opened_state():
        logging.getLogger("some.library").warning("connecting with %s", "hunter22-in-production")
        logging.getLogger("some.library").info("not worth a word")
    out, err = capsys.readouterr()
    (line,) = err.splitlines()
    assert (out, "hunter22" in err, "connecting with [redacted:" in err) == ("", False, True)
    assert (json.loads(line)["logger"] == "some.library") if as_json else "warning some.library: " in line


async def test_the_level_of_the_log_is_configured(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    workspace = tmp_path / "home" / ".akili"
    workspace.mkdir(mode=0o700)
    (workspace / "config.json").write_text(json.dumps({"logging": {"level": "error"}}))
    async with opened_state():
        logging.getLogger("some.library").warning("no")
        logging.getLogger("some.library").error("yes")
    assert [line.rpartition(": ")[2] for line in capsys.readouterr().err.splitlines()] == ["yes"]


def test_before_the_configuration_is_read_logs_are_redacted_too(capsys: pytest.CaptureFixture[str]) -> None:
    start()
    logging.getLogger("some.library").warning("key %s", "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8")
    err = capsys.readouterr().err
    assert "ghp_" not in err
    assert "some.library: key" in err
