from __future__ import annotations

from pathlib import Path

from akili_cli.core.tools.shell.ledger import Ledger, Place, resolve
from akili_cli.core.tools.shell.words import computed, literal


def test_a_link_is_followed_but_not_when_it_is_deleted(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc/hosts")
    assert resolve("link", str(tmp_path)) == str(Path("/etc/hosts").resolve())
    assert resolve("link", str(tmp_path), link_itself=True) == str(tmp_path.resolve() / "link")


def test_a_link_to_another_program_is_named_by_what_runs(tmp_path: Path) -> None:
    (tmp_path / "ls").symlink_to("/bin/rm")
    ledger = Ledger("/usr/bin:/bin", "/home/op")
    assert ledger.program(str(tmp_path / "ls"), Place(("/",)))[0] == "rm"


def test_a_look_alike_outside_the_system_is_opaque(tmp_path: Path) -> None:
    fake = tmp_path / "ls"
    fake.write_text("#!/bin/sh\n")
    fake.chmod(0o755)
    ledger = Ledger("/usr/bin:/bin", "/home/op")
    ledger.program(str(fake), Place(("/",)))
    assert ledger.effects().opaque


def test_a_computed_path_is_opaque_only_when_it_is_changed() -> None:
    ledger = Ledger("/bin", "/home/op")
    ledger.touch("read", computed("$x"), Place(("/",)))
    assert ledger.effects().opaque is None
    ledger.touch("write", computed("$x"), Place(("/",)))
    assert ledger.effects().opaque


def test_hosts_are_lower_case_ascii() -> None:
    ledger = Ledger("/bin", "/home/op")
    ledger.host("B\u00fccher.Example", 80)
    ledger.touch("read", literal("/dev/tcp/h/1"), Place(("/",)))
    assert ledger.effects().hosts == ("xn--bcher-kva.example:80", "h:1")
