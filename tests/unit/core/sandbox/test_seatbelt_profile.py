from __future__ import annotations

from pathlib import Path

import pytest

from akili_cli.core.sandbox.seatbelt_profile import seatbelt_profile
from akili_cli.domain.effects import Effects
from akili_cli.domain.errors import SandboxError

SCRATCH = "/private/tmp/akili-sandbox-1"


def profile(effects: Effects, protected: tuple[str, ...] = (), cwd: str = SCRATCH) -> list[str]:
    return seatbelt_profile(effects, protected, scratch=SCRATCH, cwd=cwd).splitlines()


def test_nothing_permitted_opens_only_the_system_and_the_scratch_directory() -> None:
    lines = profile(Effects())
    assert lines[:2] == ["(version 1)", "(deny default)"]
    assert [line for line in lines if "file-write*" in line] == [f'(allow file-write* (subpath "{SCRATCH}"))']
    assert not any("network" in line or "mach" in line for line in lines)
    assert '(allow file-read* (subpath "/usr"))' in lines


def test_reads_writes_and_deletes_become_their_own_rules() -> None:
    lines = profile(Effects(reads=("/work",), writes=("/work/out",), deletes=("/work/old",)), cwd="/work")
    assert '(allow file-read* (subpath "/work"))' in lines
    assert '(allow file-write* (subpath "/work/out"))' in lines
    assert '(allow file-write-unlink (subpath "/work/old"))' in lines
    assert '(allow file-write* (subpath "/work"))' not in lines


def test_git_hooks_and_config_cannot_be_written_below_a_writable_place() -> None:
    lines = profile(Effects(writes=("/work/repo",)))
    (guard,) = (line for line in lines if "hooks" in line)
    assert guard.startswith("(deny file-write* ")
    assert lines.index(guard) > lines.index('(allow file-write* (subpath "/work/repo"))')
    assert r'(deny file-write-unlink (regex #"/\.git$"))' in lines
    assert '(deny file-write-unlink (literal "/work"))' in lines


@pytest.mark.parametrize("place", ["/tmp/x", "/var/x", "/etc/x"])
def test_links_of_macos_are_followed(place: str) -> None:
    assert f'(allow file-read* (subpath "/private{place}"))' in profile(Effects(reads=(place,)))


@pytest.mark.parametrize("place", ['/a"b', "/a\\", '/a") (allow default) ("', "/a'b", "/é"])
def test_a_path_stays_one_string(place: str) -> None:
    fixed = set(profile(Effects()))
    (line,) = (line for line in profile(Effects(reads=(place,))) if line not in fixed)
    body = line.removeprefix('(allow file-read* (subpath "').removesuffix('"))')
    assert body.replace('\\"', "").count('"') == 0
    assert body.replace('\\"', '"').replace("\\\\", "\\") == place


@pytest.mark.parametrize("place", ["relative", "/a/../b", "/", "/a\nb", "/a\0b", "/a\u202e", "/a\ud800"])
def test_a_path_that_cannot_be_granted_is_refused(place: str) -> None:
    with pytest.raises(SandboxError):
        profile(Effects(reads=(place,)))


def test_a_relative_path_is_refused_wherever_akili_was_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SandboxError, match="not absolute"):
        profile(Effects(reads=("relative",)))


def test_what_is_protected_is_refused_and_denied_last() -> None:
    assert (
        profile(Effects(reads=("/work",)), ("/work/keys",))[-1]
        == '(deny file-read* file-write* (subpath "/work/keys"))'
    )
    for place in ("/work/keys", "/work/keys/a"):
        with pytest.raises(SandboxError, match="protected"):
            profile(Effects(reads=(place,)), ("/work/keys",))
    with pytest.raises(SandboxError, match="protected"):
        profile(Effects(reads=("/tmp/k",)), ("/private/tmp/k",))


def test_hosts_and_an_undeclared_directory_are_refused() -> None:
    with pytest.raises(SandboxError, match="no network"):
        profile(Effects(hosts=("example.org:443",)))
    with pytest.raises(SandboxError, match="not among the paths"):
        profile(Effects(reads=("/work",)), cwd="/elsewhere")
