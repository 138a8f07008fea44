from __future__ import annotations

import os
from pathlib import Path

import pytest

from akili_cli.core.sandbox.backends.staged import Staging
from akili_cli.core.sandbox.foreign import Stage
from akili_cli.domain.errors import SandboxError


def staging(*stages: Stage, max_file_bytes: int = 1000) -> Staging:
    return Staging(stages, max_file_bytes=max_file_bytes, max_bytes=1 << 20)


@pytest.fixture
def real(tmp_path: Path) -> Path:
    folder = tmp_path / "real"
    folder.mkdir()
    (folder / "file").write_text("old")
    return folder


def view_of(real: Path) -> list[int]:
    view = real.parent / "view"
    view.mkdir(exist_ok=True)
    (view / "file").write_text("new")
    (view / "stray").write_text("")
    return [os.open(view, os.O_RDONLY), os.open(view / "file", os.O_RDONLY)]


def test_permitted_names_are_carried_over_and_others_are_named(real: Path) -> None:
    descriptors = len(os.listdir("/proc/self/fd"))
    one = staging(Stage(str(real), ("file",), (), ("file",)))
    listener = os.open(os.devnull, os.O_RDONLY)
    assert one.take([]) == []
    assert one.take([*view_of(real), listener]) == [listener]
    assert one.take([*view_of(real), listener]) == [listener], "a second try replaces the first"
    assert one.strays() == [f"{real}/stray is not among what the permit lets it change"]
    one.carry_over()
    one.close()
    os.close(listener)
    assert (real / "file").read_text() == "new"
    assert not (real / "stray").exists()
    assert len(os.listdir("/proc/self/fd")) == descriptors


def test_all_that_can_be_carried_over_is_and_the_rest_is_said(real: Path) -> None:
    (real / "second").write_text("old")
    one = staging(Stage(str(real), ("file", "second"), (), ("file", "second")))
    view, copy = view_of(real)
    (real.parent / "view/second").write_text("new")
    one.take([view, copy, os.open(real.parent / "view/second", os.O_RDONLY)])
    (real / "second").write_text("theirs")
    with pytest.raises(SandboxError, match=r"the command ran, but .*second was changed by somebody else"):
        one.carry_over()
    one.close()
    assert ((real / "file").read_text(), (real / "second").read_text()) == ("new", "theirs")


def test_what_was_never_shown_cannot_be_carried_over(real: Path) -> None:
    one = staging(Stage(str(real), ("file",), (), ("file",)))
    with pytest.raises(SandboxError, match="cannot be looked at"):
        one.carry_over()
    assert one.strays() == []
    one.close()


def test_a_file_too_large_to_be_copied_is_refused(real: Path) -> None:
    with pytest.raises(SandboxError, match="larger than a command may write"):
        staging(Stage(str(real), ("file",), (), ("file",)), max_file_bytes=2)


def test_what_was_swapped_since_the_ruling_is_refused(real: Path) -> None:
    (real / "link").symlink_to("file")
    (real.parent / "way").symlink_to(real)
    with pytest.raises(SandboxError, match="not the file any more"):
        staging(Stage(str(real), ("link",), (), ("link",)))
    with pytest.raises(SandboxError, match="cannot be opened"):
        staging(Stage(f"{real.parent}/way", ("file",), (), ("file",)))


def test_more_files_than_one_message_can_carry_are_refused(real: Path) -> None:
    names = tuple(map(str, range(200)))
    with pytest.raises(SandboxError, match="too many files"):
        staging(Stage(str(real), names, (), names))
