from __future__ import annotations

import os
from pathlib import Path

import pytest

from akili_cli.core.sandbox import ownership
from tests.fakes.confined import confined


@pytest.mark.parametrize(
    ("owner", "expected"),
    [
        (0, b"0 65534 1\n1 1 65533\n65534 0 1\n65535 65535 4294901760\n"),
        (33, b"0 0 33\n33 65534 1\n34 34 65500\n65534 33 1\n65535 65535 4294901760\n"),
        (65533, b"0 0 65533\n65533 65534 1\n65534 65533 1\n65535 65535 4294901760\n"),
        (100000, b"0 0 65534\n65534 100000 1\n65535 65535 34465\n100000 65534 1\n100001 100001 4294867294\n"),
        (65534, b"0 0 4294967295\n"),
    ],
)
def test_two_ids_are_swapped_and_every_other_stays(owner: int, expected: bytes) -> None:
    assert ownership.exchange(owner, 65534) == expected
    assert sum(int(line.split()[2]) for line in expected.splitlines()) == 0xFFFFFFFF


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
@pytest.mark.parametrize("owner", [0, 33])
def test_a_mapped_mount_shows_its_owner_as_the_commands_uid_and_everybody_else_as_they_are(
    tmp_path: Path, owner: int
) -> None:
    for name, uid in (("owned", owner), ("of another", 1234), ("of nobody", 65534)):
        (tmp_path / name).write_text("")
        os.chown(tmp_path / name, uid, uid)
    os.chown(tmp_path, owner, owner)
    code = f"""
import os
from akili_cli.core.sandbox import namespaces, ownership
namespaces.unshare_mounts()
path = {str(tmp_path)!r}
descriptor = os.open(path, os.O_RDONLY)
children = open(f"/proc/self/task/{{os.getpid()}}/children")
ownership.place(ownership.mapped(ownership.id_map_of(descriptor), descriptor), os.fsencode(path))
print([os.stat(path + "/" + name).st_uid for name in ("owned", "of another", "of nobody")], children.read())
"""
    assert confined(code).split("]")[0] == f"[65534, 1234, {owner}"
    assert confined(code).split("]")[1].strip() == "", "the stand-in is gone"
    assert [path.stat().st_uid for path in (tmp_path / "owned", tmp_path / "of another")] == [owner, 1234]
