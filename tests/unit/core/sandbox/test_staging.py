from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.fakes.confined import confined

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")

BUILD = """
import os, stat
from akili_cli.core.sandbox import mounts, staging
top = {top!r}
copied = [os.fsencode(f"{{top}}/{{name}}") for name in {copied!r}]
readable = [os.fsencode(path) for path in {readable!r}]
stage = staging.Stage(os.fsencode(top), copied, readable)
found = mounts.private_mounts([os.fsencode(path) for path in {writable!r}], [], stages=[stage])
"""


def built(top: Path, code: str, *, copied: object = (), readable: object = (), writable: object = ()) -> list[str]:
    text = BUILD.format(top=str(top), copied=copied, readable=readable, writable=writable)
    return confined(text + code).splitlines()


@pytest.fixture
def top(tmp_path: Path) -> Path:
    for name in ("config", "secret", "sub/inner", "sub/other"):
        (tmp_path / "top" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "top" / name).write_text(name)
    (tmp_path / "top/link").symlink_to("config")
    (tmp_path / "top/config").chmod(0o4640)
    return tmp_path / "top"


def test_only_what_may_be_read_shows_and_only_a_copy_can_be_changed(top: Path) -> None:
    code = """
print(sorted(os.listdir(top)), sorted(os.listdir(top + "/sub")), os.readlink(top + "/link"))
print(open(top + "/config").read(), oct(os.stat(top + "/config").st_mode), os.stat(top + "/config").st_uid)
open(top + "/config", "w").write("changed")
open(top + "/new", "w").close()
print([os.fstat(each).st_uid for each in found], os.read(found[1], 99).decode(), sorted(os.listdir(found[0])))
try:
    open(top + "/sub/inner", "w")
except OSError as error:
    print(error.strerror)
"""
    lines = built(top, code, copied=["config"], readable=[f"{top}/sub/inner", "/usr"])
    assert lines[0] == "['config', 'link', 'sub'] ['inner'] config"
    assert lines[1] == "config 0o100640 65534"
    assert lines[2] == "[65534, 65534] changed ['config', 'link', 'new', 'sub']"
    assert lines[3] == "Read-only file system"
    assert sorted(path.name for path in top.iterdir()) == ["config", "link", "secret", "sub"]
    assert (top / "config").read_text() == "config"


def test_where_the_whole_directory_may_be_read_all_of_it_shows(top: Path) -> None:
    code = """print(sorted(os.listdir(top)), open(top + "/secret").read(), sorted(os.listdir(top + "/sub")))"""
    for readable in (str(top), str(top.parent), "/"):
        assert built(top, code, copied=["config"], readable=[readable]) == [
            "['config', 'link', 'secret', 'sub'] secret ['inner', 'other']"
        ]


def test_a_writable_place_below_stays_what_it_is(top: Path) -> None:
    built(top, """open(top + "/sub/inner", "w").write("written")""", writable=[f"{top}/sub"])
    assert (top / "sub/inner").read_text() == "written"


def test_a_directory_with_too_many_entries_is_not_shown(top: Path) -> None:
    code = "staging._MAX_SHOWN = 0\nstaging.Stage(os.fsencode(top), [], [os.fsencode(top)]).open()"
    with pytest.raises(AssertionError, match="holds too many entries"):
        built(top, code)
