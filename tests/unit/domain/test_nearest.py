from __future__ import annotations

import pytest

from akili_cli.domain.nearest import nearest


def test_the_closest_name_is_offered() -> None:
    assert nearest("shell_exce", ("shell_exec", "file_read")) == "; did you mean `shell_exec`?"


@pytest.mark.parametrize("name", ["", "zzz", "\0", "x" * 1_000_000])
def test_nothing_is_offered_for_what_is_not_close(name: str) -> None:
    assert nearest(name, ("shell_exec", "file_read")) == ""
