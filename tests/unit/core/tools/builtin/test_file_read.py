from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from akili_cli.core.tools.builtin.file_read import (
    MAX_OUTPUT_BYTES,
    FileRead,
    FileReadArgs,
    is_binary,
    printable,
    root_of,
)
from akili_cli.core.tools.settings import FileToolSettings
from akili_cli.domain.calls import ToolOutput
from akili_cli.domain.effects import Effects
from akili_cli.domain.errors import InvalidArgumentsError, RefusedError
from tests.fakes.permits import permit_for


def tool(cwd: Path, max_bytes: int = 10_485_760) -> FileRead:
    settings = FileToolSettings(allowed_paths=(str(cwd),), max_file_size_bytes=max_bytes)
    return FileRead(settings, home=str(cwd / "home"), cwd=str(cwd))


async def call(reader: FileRead, **arguments: object) -> ToolOutput:
    args = FileReadArgs.model_validate(arguments)
    return await reader.run(args, permit_for(reader.effects(args), tool="file_read"))


async def test_a_text_file_is_shown_and_marked_as_untrusted(tmp_path: Path) -> None:
    (tmp_path / "motd").write_text("hëllo\n")
    out = await call(tool(tmp_path), path="motd")
    assert (out.ok, out.text, out.untrusted) == (True, "hëllo\n", f"file {tmp_path}/motd")
    assert out.metadata["path"] == str(tmp_path / "motd")


async def test_a_symlink_is_declared_and_read_as_its_target(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("x")
    (tmp_path / "link").symlink_to("real")
    reader = tool(tmp_path)
    assert reader.effects(FileReadArgs(path="link")) == Effects(reads=(str(tmp_path / "real"),))
    assert (await call(reader, path="link")).text == "x"


async def test_a_swap_after_the_declaration_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("SECRET")
    (tmp_path / "f").write_text("x")
    reader = tool(tmp_path)
    args = FileReadArgs(path="f")
    permit = permit_for(reader.effects(args))
    (tmp_path / "f").unlink()
    (tmp_path / "f").symlink_to("secret")
    out = await reader.run(args, permit)
    assert not out.ok
    assert "SECRET" not in out.text


async def test_offset_and_limit_page_through_on_character_borders(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("aé€😀z" * 20)
    text, offset = "", 0
    reader = tool(tmp_path)
    while True:
        out = await call(reader, path="f", offset=offset, limit=7)
        text += out.text.split("\n[cut")[0]
        if not out.metadata["truncated"]:
            break
        following = out.metadata["next_offset"]
        assert isinstance(following, int)
        assert following > offset
        offset = following
    assert text == "aé€😀z" * 20


async def test_a_limit_inside_one_character_still_moves_on(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("😀😀")
    out = await call(tool(tmp_path), path="f", limit=1)
    assert out.metadata["next_offset"] == 1


async def test_output_is_capped_at_one_mebibyte_with_a_notice(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"x" * (MAX_OUTPUT_BYTES + 5))
    out = await call(tool(tmp_path), path="f", limit=1 << 40)
    assert out.text.count("x") == MAX_OUTPUT_BYTES
    assert f"continue with offset={MAX_OUTPUT_BYTES}" in out.text
    rest = await call(tool(tmp_path), path="f", offset=MAX_OUTPUT_BYTES)
    assert rest.text == "xxxxx"


async def test_an_offset_behind_the_end_says_so(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("x")
    assert "ends before" in (await call(tool(tmp_path), path="f", offset=1 << 50)).text


async def test_a_binary_file_gives_size_and_digest_only(tmp_path: Path) -> None:
    data = b"\x7fELF\0\0" + os.urandom(100)
    (tmp_path / "f").write_bytes(data)
    out = await call(tool(tmp_path), path="f")
    assert out.ok
    assert hashlib.sha256(data).hexdigest() in out.text
    assert "ELF" not in out.text
    assert out.metadata["size"] == len(data)


@pytest.mark.parametrize("path", ["/proc/meminfo", "/proc/self/status", "/sys/kernel/mm/transparent_hugepage"])
async def test_files_without_a_size_are_read(path: str, tmp_path: Path) -> None:
    if not Path(path).exists():
        pytest.skip("not on this machine")
    operation = "list" if Path(path).is_dir() else "read"
    out = await call(tool(tmp_path), path=path, operation=operation)
    assert out.ok
    assert out.text.count("\n") > 1


async def test_missing_special_and_large_files_fail_in_words(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "big").write_bytes(b"x" * 11)
    reader = tool(tmp_path, max_bytes=10)
    for path, words in (
        ("none", "no such file"),
        ("none/x", "no such file"),
        ("fifo", "FIFO"),
        ("big", "limit is 10"),
        (".", "is a directory"),
        ("big/x", "cannot open"),
    ):
        out = await call(reader, path=path)
        assert not out.ok
        assert words in out.text


async def test_a_listing_shows_mode_size_and_escaped_names_sorted(tmp_path: Path) -> None:
    where = tmp_path / "d"
    where.mkdir()
    (where / "b").write_text("12345")
    (where / "a\x1b[2J\n\u202e\\").write_text("")
    (where / "link").symlink_to("/etc/shadow")
    out = await call(tool(tmp_path), path="d", operation="list")
    lines = out.text.splitlines()
    assert [line.split()[-1] for line in lines] == ["a\\x1b[2J\\n\\u202e\\\\", "b", "link"]
    assert lines[1].startswith("-rw")
    assert " 5 b" in lines[1]
    assert lines[2].startswith("l")
    assert out.metadata == {"path": str(where), "count": 3}


async def test_an_empty_directory_and_a_file_to_list_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "f").write_text("")
    assert (await call(tool(tmp_path), path="d", operation="list")).text == "[empty directory]"
    assert not (await call(tool(tmp_path), path="f", operation="list")).ok


async def test_a_long_listing_is_cut_with_the_total(tmp_path: Path) -> None:
    where = tmp_path / "many"
    where.mkdir()
    for number in range(10_050):
        (where / str(number)).touch()
    out = await call(tool(tmp_path), path="many", operation="list")
    assert out.metadata["count"] == 10_050
    assert "[cut: 10000 of 10050 entries shown]" in out.text


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"path": ""},
        {"path": 3},
        {"path": "x", "offset": -1},
        {"path": "x", "offset": 1 << 64},
        {"path": "x", "limit": 0},
        {"path": "x", "offset": "1"},
        {"path": "x", "operation": "delete"},
        {"path": "x", "other": 1},
    ],
)
def test_arguments_outside_the_schema_are_refused(arguments: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        FileReadArgs.model_validate(arguments)


def test_a_path_that_names_nothing_is_invalid(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgumentsError):
        tool(tmp_path).effects(FileReadArgs(path="a\0b"))


async def test_a_permit_for_something_else_is_refused(tmp_path: Path) -> None:
    args = FileReadArgs(path="x")
    for effects in (Effects(), Effects(writes=(f"{tmp_path}/x",)), Effects(reads=("/a", "/b"))):
        with pytest.raises(RefusedError):
            await tool(tmp_path).run(args, permit_for(effects))


def test_the_longest_allowed_root_is_chosen() -> None:
    assert root_of("/a/b/c", ("/a", "/a/b", "/x", "/")) == "/a/b"
    assert root_of("/a/b/c", ()) == "/"


def test_names_and_bytes_are_judged_by_class() -> None:
    assert printable("naïve name") == "naïve name"
    assert printable("\udcff") == "\\udcff"
    assert not is_binary(b"")
    assert not is_binary("naïve\t\r\n\x1b[0m".encode())
    assert is_binary(b"a\0")
    assert is_binary(bytes(range(1, 32)))
