from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from akili_cli.core.tools.builtin.file_write import FileWrite, FileWriteArgs
from akili_cli.core.tools.settings import FileToolSettings
from akili_cli.domain.calls import ToolOutput
from akili_cli.domain.effects import Effects
from akili_cli.domain.errors import InvalidArgumentsError, RefusedError
from akili_cli.domain.images import NoBeforeImages
from tests.fakes.permits import permit_for


def tool(cwd: Path, max_bytes: int = 1000) -> FileWrite:
    settings = FileToolSettings(allowed_paths=(str(cwd),), max_file_size_bytes=max_bytes)
    return FileWrite(settings, NoBeforeImages(), home=str(cwd / "home"), cwd=str(cwd))


async def call(writer: FileWrite, path: str, content: str) -> ToolOutput:
    args = FileWriteArgs(path=path, content=content)
    return await writer.run(args, permit_for(writer.effects(args), tool="file_write"))


async def test_a_file_is_created_below_new_parents_and_reported(tmp_path: Path) -> None:
    out = await call(tool(tmp_path), "a/b/f", "hëllo")
    path = tmp_path / "a" / "b" / "f"
    assert path.read_text() == "hëllo"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert out.text == f"created {path}: 6 bytes"
    assert out.metadata == {"path": str(path), "bytes": 6, "created": True}


async def test_an_existing_file_is_replaced_even_by_nothing(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("old")
    (tmp_path / "f").chmod(0o604)
    out = await call(tool(tmp_path), "f", "")
    assert out.text.startswith("replaced")
    assert (tmp_path / "f").read_bytes() == b""
    assert stat.S_IMODE((tmp_path / "f").stat().st_mode) == 0o604


async def test_a_hard_link_elsewhere_is_named_and_unchanged(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("old")
    (tmp_path / "g").hardlink_to(tmp_path / "f")
    assert "hard links" in (await call(tool(tmp_path), "f", "new")).text
    assert (tmp_path / "g").read_text() == "old"


def test_a_dangling_symlink_declares_where_it_points(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/nowhere/x")
    effects = tool(tmp_path).effects(FileWriteArgs(path="link", content=""))
    assert effects == Effects(writes=("/nowhere/x",), reversible=False)


async def test_a_swap_after_the_declaration_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "out").mkdir()
    writer = tool(tmp_path)
    args = FileWriteArgs(path="d/f", content="x")
    permit = permit_for(writer.effects(args))
    (tmp_path / "d").rmdir()
    (tmp_path / "d").symlink_to("out")
    assert not (await writer.run(args, permit)).ok
    assert list((tmp_path / "out").iterdir()) == []


async def test_directories_and_special_files_are_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "f").write_text("")
    for path in ("d", "fifo", "f/x", "/dev/null", "/"):
        assert not (await call(tool(tmp_path), path, "x")).ok
    assert stat.S_ISFIFO((tmp_path / "fifo").stat().st_mode)
    assert not [entry for entry in tmp_path.iterdir() if entry.name.endswith(".tmp")]


@pytest.mark.parametrize("content", ["x" * 1001, "é" * 501, "\ud800"], ids=["long", "long-bytes", "surrogate"])
def test_content_too_large_or_not_unicode_is_invalid(content: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidArgumentsError):
        tool(tmp_path).effects(FileWriteArgs(path="f", content=content))


async def test_a_permit_for_something_else_is_refused(tmp_path: Path) -> None:
    args = FileWriteArgs(path="x", content="")
    for effects in (Effects(), Effects(reads=(f"{tmp_path}/x",)), Effects(writes=("/a", "/b"))):
        with pytest.raises(RefusedError):
            await tool(tmp_path).run(args, permit_for(effects))
    assert not (tmp_path / "x").exists()
