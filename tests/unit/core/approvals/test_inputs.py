from __future__ import annotations

from pathlib import Path

from akili_cli.core.approvals.inputs import MAX_INPUTS, drifted, inputs_of
from akili_cli.domain.effects import Command, Effects


def test_what_moves_by_itself_or_belongs_to_the_system_is_no_input(tmp_path: Path) -> None:
    effects = Effects(
        reads=("/proc/loadavg", "/var/log/syslog", "/etc/hosts"),
        writes=(str(tmp_path / "new"),),
        commands=(Command("cat", ("cat",), "/usr/bin/cat"), Command("x", ("x",), str(tmp_path / "x"))),
    )
    assert list(inputs_of(effects)) == [str(tmp_path / "new"), str(tmp_path / "x"), "/etc/hosts"]


def test_a_file_that_appears_changes_or_goes_has_drifted(tmp_path: Path) -> None:
    new, old = tmp_path / "new", tmp_path / "old"
    old.write_text("x")
    inputs = inputs_of(Effects(writes=(str(new),), deletes=(str(old),)))
    assert drifted(inputs) == ()
    new.write_text("y")
    old.unlink()
    assert drifted(inputs) == (str(new), str(old))


def test_there_is_an_end_to_what_is_looked_at() -> None:
    assert len(inputs_of(Effects(reads=tuple(f"/none/{i}" for i in range(500))))) == MAX_INPUTS
