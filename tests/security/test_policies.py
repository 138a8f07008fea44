"""Each policy of ``corpora/policies.yaml``: odd, broken or merely doubtful, and what is said of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from akili_cli.cli.boundary import run_command_line
from akili_cli.cli.opening import checked_rules
from akili_cli.domain.errors import ConfigError

BASE = """\
security:
  user_roles: {ann: op}
  roles:
    op: {permissions: [read_files, write_files, shell_exec, web_search, git_read], max_risk_level: medium}
    idle: {permissions: [read_files], max_risk_level: low}
"""
HELD = "nobody has this role"


@dataclass(frozen=True)
class Case:
    id: str
    policy: str
    refused: bool
    says: tuple[str, ...]


def load() -> list[Case]:
    path = Path(__file__).parent / "corpora" / "policies.yaml"
    cases = yaml.safe_load(path.read_text(encoding="utf-8"))
    return [Case(one["id"], one["policy"], one["refused"], tuple(one["says"])) for one in cases]


CORPUS = load()


def test_the_corpus_is_large_enough() -> None:
    assert len(CORPUS) >= 100
    assert len({one.id for one in CORPUS}) == len(CORPUS)


@pytest.mark.parametrize("one", CORPUS, ids=lambda one: one.id)
def test_lint_says_what_is_wrong_and_what_is_refused_does_not_start(
    one: Case, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    (home / ".akili").mkdir(mode=0o700)
    config = home / ".akili" / "config.yaml"
    config.write_text(BASE + one.policy, encoding="utf-8")
    config.chmod(0o600)
    monkeypatch.chdir(tmp_path)
    code = run_command_line(["policy", "lint"])
    said = capsys.readouterr()
    lines = [line for line in (said.out + said.err).splitlines() if "config.yaml:" in line and HELD not in line]
    assert code == int(one.refused), lines
    for words in one.says:
        assert any(words in line for line in lines), lines
    if not one.says:
        assert lines == []
    if one.refused:
        with pytest.raises(ConfigError) as caught:
            checked_rules()
        assert "config.yaml:" in str(caught.value)
    else:
        checked_rules()
