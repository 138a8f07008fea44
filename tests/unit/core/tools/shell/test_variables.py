from __future__ import annotations

import pytest

from akili_cli.core.tools.shell.variables import is_dangerous


@pytest.mark.parametrize(
    "name", ["PATH", "LD_PRELOAD", "BASH_ENV", "IFS", "GIT_SSH", "http_proxy", "PS4", "PYTHONPATH"]
)
def test_variables_that_change_what_runs_are_dangerous(name: str) -> None:
    assert is_dangerous(name)


@pytest.mark.parametrize("name", ["x", "LC_ALL", "TZ", "LANG", "COLUMNS"])
def test_others_are_not(name: str) -> None:
    assert not is_dangerous(name)
