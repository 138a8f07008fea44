from __future__ import annotations

from pathlib import Path

import pytest

from akili_cli.core.audit.chain import line_of
from akili_cli.core.audit.linefile import LineFile, LineReader, file_of, is_locked, mend, segments_of
from akili_cli.domain.errors import AuditError

ROWS = [(seq, f'{{"stream":"s","seq":{seq},"x":1}}', f"{seq:064x}") for seq in range(1, 2503)]
WHOLE = b"".join(line_of(body, entry_hash) for _, body, entry_hash in ROWS)


def after(seq: int, limit: int) -> list[tuple[int, str, str]]:
    return ROWS[seq : seq + limit]


def test_a_file_is_private_new_and_locked_while_it_is_written(tmp_path: Path) -> None:
    file = LineFile(tmp_path, "s")
    path = file_of(tmp_path, "s")
    file.write(b"a\n")
    file.write(b"b\n")
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"a\nb\n", 0o600)
    assert is_locked(path)
    assert mend(path, after) is None
    with pytest.raises(FileExistsError):
        LineFile(tmp_path, "s")
    file.close()
    assert not is_locked(path)


@pytest.mark.parametrize("cut", [0, 5, len(WHOLE) // 2, len(WHOLE) - 1, len(WHOLE)])
def test_a_cut_file_is_filled_in(cut: int, tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    path.write_bytes(WHOLE[:cut])
    added = mend(path, after)
    assert path.read_bytes() == WHOLE
    assert added == WHOLE.count(b"\n") - WHOLE[:cut].count(b"\n")


@pytest.mark.parametrize(
    "content", [b"x", WHOLE + b"x", b"{}\n", line_of('{"seq":99999}', "0" * 64), WHOLE[:-3] + b"x"]
)
def test_a_file_that_holds_something_else_is_left_alone(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    path.write_bytes(content)
    with pytest.raises(AuditError):
        mend(path, after)
    assert path.read_bytes() == content


def test_a_missing_file_is_not_made_again(tmp_path: Path) -> None:
    with pytest.raises(AuditError, match="cannot be mended"):
        mend(tmp_path / "s.jsonl", after)
    assert not is_locked(tmp_path / "s.jsonl")


def test_a_reader_gives_lines_and_takes_one_back(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    path.write_bytes(b"a\nb\nc")
    reader = LineReader(path)
    assert reader.next() == b"a\n"
    assert reader.peek() == reader.next() == b"b\n"
    reader.hold(b"b\n")
    assert [reader.next() for _ in range(3)] == [b"b\n", b"c", b""]
    reader.close()
    with pytest.raises(OSError, match="regular"):
        LineReader(tmp_path)


def test_a_full_segment_is_followed_by_the_next_and_the_lock_stays(tmp_path: Path) -> None:
    file = LineFile(tmp_path, "s", segment_bytes=10)
    for line in (b"12345\n", b"678\n", b"a\n", b"a line longer than a segment\n", b"b\n"):
        file.write(line)
    assert [path.name for path in segments_of(tmp_path, "s")] == ["s.jsonl", "s.2.jsonl", "s.3.jsonl", "s.4.jsonl"]
    assert [path.read_bytes() for path in segments_of(tmp_path, "s")][:2] == [b"12345\n678\n", b"a\n"]
    assert is_locked(file_of(tmp_path, "s"))
    reader = LineReader(*segments_of(tmp_path, "s"))
    assert reader.next() == b"12345\n"
    assert not reader.take(b"678\na\n")
    assert reader.take(b"678\n")
    assert reader.take(b"a\n")
    assert [reader.next() for _ in range(3)] == [b"a line longer than a segment\n", b"b\n", b""]
    reader.close()
    file.close()
    assert not is_locked(file_of(tmp_path, "s"))


@pytest.mark.parametrize("cut", [0, 5, 40], ids=["empty", "torn", "whole lines"])
def test_the_last_segment_is_filled_in(cut: int, tmp_path: Path) -> None:
    half = WHOLE.index(b"\n", len(WHOLE) // 2) + 1
    (tmp_path / "s.jsonl").write_bytes(WHOLE[:half])
    (tmp_path / "s.2.jsonl").write_bytes(WHOLE[half : half + cut])
    assert mend(tmp_path / "s.jsonl", after)
    assert b"".join(path.read_bytes() for path in segments_of(tmp_path, "s")) == WHOLE


def test_a_segment_cut_before_the_last_is_left_as_evidence(tmp_path: Path) -> None:
    (tmp_path / "s.jsonl").write_bytes(WHOLE[:50])
    (tmp_path / "s.2.jsonl").write_bytes(b"")
    with pytest.raises(AuditError, match="before its last segment"):
        mend(tmp_path / "s.jsonl", after)
    assert (tmp_path / "s.2.jsonl").read_bytes() == b""
