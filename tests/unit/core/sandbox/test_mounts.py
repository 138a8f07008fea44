from __future__ import annotations

import os
from pathlib import Path

import pytest

from akili_cli.core.sandbox.backends.process import ProcessSandbox
from akili_cli.core.sandbox.settings import SandboxSettings
from akili_cli.domain.clock import SystemClock
from tests.fakes.confined import confined

ENTER = """
import os
from pathlib import Path
from akili_cli.core.sandbox import mounts, namespaces
if os.geteuid():
    namespaces.own_user_namespace(os.open("/proc/self", os.O_RDONLY))
"""


@pytest.fixture(autouse=True)
def _possible(tmp_path: Path) -> None:
    probe = ProcessSandbox(SandboxSettings(), tmp_path / "probe", SystemClock())._probed()
    if not probe.works("mount_namespace"):
        pytest.skip("no mount namespaces here")


def test_only_writable_places_stay_writable_and_covers_hide(tmp_path: Path) -> None:
    for name in ("cover/way/in", "cover/secret", "other"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "file").write_text("secret")
    code = f"""
root = Path({str(tmp_path)!r})
covered = [bytes(root / "cover"), bytes(root / "file"), bytes(root / "cover/secret")]
mounts.private_mounts([bytes(root / "cover/way/in")], covered)
(root / "cover/way/in/new").write_text("")
print(sorted(os.listdir(root / "cover")), repr((root / "file").read_text()))
for path in (root / "other", root / "cover", root / "cover/way"):
    try:
        (path / "new").write_text("")
    except OSError as error:
        print(error.strerror)
"""
    lines = confined(ENTER + code).splitlines()
    assert lines == ["['way'] ''", *["Read-only file system"] * 3]
    assert (tmp_path / "cover/way/in/new").exists()
    assert (tmp_path / "file").read_text() == "secret"


def test_a_private_directory_is_empty_and_can_be_used(tmp_path: Path) -> None:
    (tmp_path / "there").touch()
    (tmp_path / "way").mkdir()
    code = f"""
import os
top = {str(tmp_path)!r}
mounts.private_mounts([os.fsencode(top + "/way")], [os.fsencode(top)], [os.fsencode(top)])
open(top + "/new", "w").close()
print(sorted(os.listdir(top)))
"""
    assert confined(ENTER + code) == "['new', 'way']\n"
    assert sorted(path.name for path in tmp_path.iterdir() if path.name in ("new", "there", "way")) == ["there", "way"]


def test_the_machine_keeps_its_mounts(tmp_path: Path) -> None:
    before = Path("/proc/self/mounts").read_text()
    confined(f"{ENTER}mounts.private_mounts([], [{str(tmp_path).encode()!r}])")
    assert Path("/proc/self/mounts").read_text() == before


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_a_directory_of_somebody_else_is_mounted_for_its_owner_and_stays_writable_only_there(tmp_path: Path) -> None:
    for name in ("mine", "other"):
        (tmp_path / name).mkdir()
    (tmp_path / "mine/file").write_text("1")
    code = f"""
from akili_cli.core.sandbox import privileges
top = {str(tmp_path)!r}
mine = os.fsencode(top + "/mine")
mounts.private_mounts([mine], [], mapped=[mine])
privileges.become_nobody()
privileges.set_capabilities((privileges.CAP_DAC_READ_SEARCH,), inheritable=True)
print(os.stat(mine).st_uid)
open(top + "/mine/new", "w").close()
open(top + "/mine/file", "a").write("2")
os.mkdir(top + "/other/x")
"""
    with pytest.raises(AssertionError, match="Read-only file system"):
        confined(ENTER + code)
    assert (tmp_path / "mine/new").stat().st_uid == 0
    assert (tmp_path / "mine/file").read_text() == "12"
