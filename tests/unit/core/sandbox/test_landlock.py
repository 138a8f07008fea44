from __future__ import annotations

from pathlib import Path

import pytest

from akili_cli.core.sandbox import landlock
from tests.fakes.confined import confined

NEEDED = pytest.mark.skipif(landlock.abi() < 1, reason="needs Landlock")
ENTER = "from akili_cli.core.sandbox import landlock, privileges\nprivileges.no_new_privileges()\n"


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        (1, (0x1FFF, 0, 0)),
        (2, (0x3FFF, 0, 0)),
        (3, (0x7FFF, 0, 0)),
        (4, (0x7FFF, 3, 0)),
        (5, (0xFFFF, 3, 0)),
        (6, (0xFFFF, 3, 3)),
        (99, (0xFFFF, 3, 3)),
    ],
)
def test_only_what_the_kernel_knows_is_handled(version: int, expected: tuple[int, int, int]) -> None:
    assert landlock.handled(version) == expected


@NEEDED
def test_a_rule_opens_its_path_and_nothing_else(tmp_path: Path) -> None:
    for name in ("open", "closed"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
    code = f"""
rules = [({str(tmp_path / "open").encode()!r}, landlock.READ, True), (b"/none", 4, True)]
landlock.restrict(landlock.fill(landlock.create(), rules))
print(open({str(tmp_path / "open" / "file")!r}).read())
for path, mode in (({str(tmp_path / "closed" / "file")!r}, "r"), ({str(tmp_path / "open" / "file")!r}, "w")):
    try:
        open(path, mode)
    except PermissionError:
        print("refused")
"""
    assert confined(ENTER + code).split() == ["open", "refused", "refused"]


@NEEDED
def test_a_rule_whose_path_became_a_symlink_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/")
    path = str(tmp_path / "link").encode()
    with pytest.raises(OSError, match="symbolic links"):
        landlock.fill(landlock.create(), [(path, landlock.READ, True)])


@pytest.mark.skipif(landlock.abi() < 4, reason="needs Landlock for TCP")
def test_only_named_ports_can_be_connected_to() -> None:
    code = """
import socket
servers = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
ports = [server.getsockname()[1] for server in servers]
landlock.restrict(landlock.fill(landlock.create(), [], ports=ports[:1]))
for port in ports:
    try:
        socket.socket().connect(("127.0.0.1", port))
        print("connected")
    except PermissionError:
        print("refused")
"""
    assert confined(ENTER + code).split() == ["connected", "refused"]
