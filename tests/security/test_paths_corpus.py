"""Each line of ``corpora/paths.txt``: a path, an allowed root, and where the path really leads."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from akili_cli.adapters.files.paths import open_beneath, read_file, resolve, write_file
from akili_cli.domain.effects import Effects
from akili_cli.domain.errors import AkiliError, InvalidArgumentsError
from akili_cli.domain.paths import is_within
from tests.fakes.permits import permit_for

LINES = [
    line.split("\t")
    for line in (Path(__file__).parent / "corpora" / "paths.txt").read_text("utf-8").splitlines()
    if line and not line.startswith("#")
]
SECRET = "SECRET"


def layout(where: Path) -> None:
    for name in ("in/d", "in/deep/a/b", "in-side", "out"):
        (where / name).mkdir(parents=True)
    for name in ("in/f", "in/d/g"):
        (where / name).write_text("open")
    for name in ("in-side/x", "out/s"):
        (where / name).write_text(SECRET)
    (where / "in" / "hard").hardlink_to(where / "in" / "f")
    links = {
        "link-into": "in",
        "in/link-f": "f",
        "in/link-d": "d",
        "in/link-abs-in": f"{where}/in/d/g",
        "in/chain": "link-abs-in",
        "in/link-out": "../out",
        "in/link-s": "../out/s",
        "in/link-abs": f"{where}/out/s",
        "in/link-rel-up": "..",
        "in/dangling-out": "../out/not-there",
        "in/dangling-deep": f"{where}/nowhere/deep",
        "in/chain-out": "link-out",
        "in/link-slash": "/",
        "in/link-dot-out": "./d/../../out",
        "in/d/link-up-two": "../../out",
        "in/link-prefix": "../in-side",
        "in/link-proc": "/proc/self",
        "in/link-dev": "/dev/null",
        "in/loop": "loop",
    }
    for name, target in links.items():
        (where / name).symlink_to(target)
    os.symlink(b"../\xff", os.fsencode(where / "in" / "link-latin"))


def written(text: str, where: Path) -> str:
    """Turn a corpus field into the path it stands for."""
    plain = "" if text == "<empty>" else text
    plain = plain.encode("latin-1", "backslashreplace").decode("unicode_escape", "surrogatepass")
    for token, value in {
        "{T}": str(where),
        "{B}": where.name,
        "{N256}": "n" * 256,
        "{N5000}": "n" * 5000,
        "{D5000}": "d/" * 2500,
    }.items():
        plain = plain.replace(token, value)
    return plain


@pytest.mark.parametrize(("path", "root", "verdict"), LINES, ids=[" ".join(line[:2]) for line in LINES])
def test_a_path_leads_where_the_corpus_says(path: str, root: str, verdict: str, tmp_path: Path) -> None:
    layout(tmp_path)
    cwd, home = str(tmp_path / "in"), str(tmp_path / "home")
    allowed = resolve(written(root, tmp_path), cwd=cwd, home=home)
    asked = written(path, tmp_path)
    if verdict == "refused":
        with pytest.raises(InvalidArgumentsError):
            resolve(asked, cwd=cwd, home=home)
        return
    resolved = resolve(asked, cwd=cwd, home=home)
    assert is_within(resolved, allowed) is (verdict == "inside")
    assert is_within(resolved, allowed) is Path(resolved).is_relative_to(allowed)
    permit = permit_for(Effects(reads=(allowed,), writes=(allowed,)))
    if verdict == "outside":
        for attempt in (
            lambda: open_beneath(allowed, resolved, os.O_RDONLY),
            lambda: read_file(resolved, permit, max_bytes=100, limit=100),
            lambda: write_file(resolved, b"x", permit),
        ):
            with pytest.raises(AkiliError):
                attempt()


@pytest.mark.parametrize("path", sorted({line[0] for line in LINES if line[2] != "refused"}))
def test_the_unresolved_path_never_reaches_a_secret(path: str, tmp_path: Path) -> None:
    layout(tmp_path)
    permit = permit_for(Effects(reads=(f"{tmp_path}/in",), writes=(f"{tmp_path}/in",)))
    raw = os.path.join(tmp_path / "in", written(path, tmp_path))  # a caller that forgot to resolve
    for attempt in (
        lambda: read_file(raw, permit, max_bytes=100, limit=100).data,
        lambda: write_file(raw, b"mine", permit),
    ):
        try:
            assert SECRET.encode() != attempt()
        except AkiliError:
            continue
    assert (tmp_path / "out" / "s").read_text() == SECRET
    assert (tmp_path / "in-side" / "x").read_text() == SECRET
    assert [entry.name for entry in (tmp_path / "out").iterdir()] == ["s"]


def test_the_corpus_is_large_enough() -> None:
    assert len(LINES) >= 100
