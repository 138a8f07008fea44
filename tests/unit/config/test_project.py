from __future__ import annotations

from pathlib import Path

import pytest

from akili_cli.adapters.files.yaml import load_yaml_with_lines
from akili_cli.config.project import PROJECT_NAMES, find_project_file, narrow
from akili_cli.config.settings import Settings
from akili_cli.config.sources import ConfigFile
from akili_cli.domain.errors import ConfigError


def project(text: str) -> ConfigFile:
    data, lines = load_yaml_with_lines(text, "akili.yaml")
    assert isinstance(data, dict)
    return ConfigFile("akili.yaml", data, lines, private=True)


@pytest.mark.parametrize("name", PROJECT_NAMES)
def test_each_name_is_found(name: str, tmp_path: Path) -> None:
    assert find_project_file(tmp_path, None) is None
    (tmp_path / name).write_text("")
    assert find_project_file(tmp_path, None) == tmp_path / name
    assert find_project_file(tmp_path, tmp_path / name) is None


def test_two_are_refused(tmp_path: Path) -> None:
    for name in PROJECT_NAMES[:2]:
        (tmp_path / name).write_text("")
    with pytest.raises(ConfigError, match="more than one"):
        find_project_file(tmp_path, None)


def test_the_good_is_taken_and_the_bad_is_named_with_its_line(tmp_path: Path) -> None:
    file = project("agent:\n  max_steps: 5\n  max_iterations: 999\nsecurity: {}\n")
    taken, problems = narrow(file, Settings(), tmp_path)
    assert taken == {("agent", "max_steps"): 5}
    assert [(p.path, p.origin.line if p.origin else None) for p in problems] == [
        (("agent", "max_iterations"), 3),
        (("security",), 4),
    ]


def test_without_settings_to_compare_nothing_is_compared(tmp_path: Path) -> None:
    taken, problems = narrow(project("agent: {max_steps: 999}"), None, tmp_path)
    assert taken
    assert not problems
