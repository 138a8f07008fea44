from __future__ import annotations

from pathlib import Path

import pytest

from akili_cli.core.sandbox import landlock, seccomp
from akili_cli.core.sandbox.grants import Grants, Network, base_rules, grants_for
from akili_cli.domain.effects import Effects
from akili_cli.domain.errors import SandboxError


def granted(effects: Effects, *, protected: tuple[str, ...] = (), cwd: str = "/scratch", mounts: bool = True) -> Grants:
    return grants_for(effects, protected, scratch="/scratch", cwd=cwd, mounts=mounts)


def rights(grants: Grants) -> dict[str, int]:
    out: dict[str, int] = {}
    for rule in (*grants.rules, *(base_rules() if grants.base else ())):
        out[rule.path] = out.get(rule.path, 0) | rule.rights
    return out


def test_nothing_declared_gives_the_base_and_scratch() -> None:
    grants = granted(Effects())
    found = rights(grants)
    assert found["/usr"] == landlock.READ_RUN
    assert found["/scratch"] == landlock.CHANGE
    assert found["/proc"] == landlock.READ
    assert not {"/", "/etc", "/etc/shadow", "/root", "/home", "/var", "/dev", "/run", "/sys"} & set(found)
    assert grants.writable == ("/scratch",)
    assert grants.network == Network()
    assert not grants.beyond_base


def test_reads_writes_and_deletes_become_the_rights_they_need(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    file, folder, new = (str(tmp_path / name) for name in ("file", "folder", "new"))
    assert rights(granted(Effects(reads=(file,))))[file] == landlock.READ_RUN
    assert rights(granted(Effects(writes=(file,))))[file] == landlock.CHANGE
    created = rights(granted(Effects(writes=(new,))))
    assert new not in created
    assert created[str(tmp_path)] == landlock.MAKE_REG | landlock.MAKE_DIR | landlock.WRITE_FILE
    assert rights(granted(Effects(deletes=(file,))))[str(tmp_path)] == landlock.REMOVE_FILE
    removed = rights(granted(Effects(deletes=(folder,))))
    assert removed[str(tmp_path)] == landlock.REMOVE_DIR
    assert removed[folder] == landlock.REMOVE_FILE | landlock.REMOVE_DIR | landlock.READ_DIR


def test_a_root_above_a_protected_path_is_granted_around_it(tmp_path: Path) -> None:
    for name in ("a/b/secret", "a/b/other", "a/next", "side"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "a" / "link").symlink_to(tmp_path / "a/b/secret")
    found = rights(granted(Effects(reads=(str(tmp_path),)), protected=(str(tmp_path / "a/b/secret"),)))
    names = {path.removeprefix(str(tmp_path)) for path in found if path.startswith(str(tmp_path))}
    assert {"/a/b/other", "/a/next", "/side"} <= names
    assert not {"/a", "/a/b", "/a/b/secret", "/a/link"} & names
    assert found[str(tmp_path)] == landlock.READ_DIR


def test_without_private_mounts_the_directory_above_a_protected_path_is_not_even_listed(tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    effects = Effects(reads=(str(tmp_path),))
    assert str(tmp_path) not in rights(granted(effects, protected=(f"{tmp_path}/secret",), mounts=False))


def test_reading_everything_leaves_the_devices_out() -> None:
    found = rights(granted(Effects(reads=("/",))))
    assert found["/etc"] == landlock.READ_RUN
    assert found["/"] == landlock.READ_DIR
    assert "/dev" not in found
    assert rights(granted(Effects(reads=("/dev",))))["/dev"] == landlock.READ_DIR


@pytest.mark.parametrize("kind", ["reads", "writes", "deletes"])
def test_a_protected_path_is_never_granted(tmp_path: Path, kind: str) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "link").symlink_to(root)
    for path in (root, root / "below", tmp_path / "link", tmp_path / "link" / "below"):
        with pytest.raises(SandboxError, match="protected"):
            granted(Effects(**{kind: (str(path),)}), protected=(str(root),))
    with pytest.raises(SandboxError, match="protected"):
        granted(Effects(reads=(str(root),)), protected=(str(tmp_path / "link"),))


@pytest.mark.parametrize("cwd", ["", "/below"])
def test_a_working_directory_in_a_protected_root_is_refused(tmp_path: Path, cwd: str) -> None:
    with pytest.raises(SandboxError, match="protected"):
        granted(Effects(reads=("/",)), protected=(str(tmp_path),), cwd=f"{tmp_path}{cwd}")


@pytest.mark.parametrize("path", ["relative", "/a/../b", "/a\0b", "", "/\ud800"])
def test_a_path_that_is_not_resolved_is_refused(path: str) -> None:
    with pytest.raises(SandboxError, match="resolved"):
        granted(Effects(reads=(path,)))


def test_creating_beside_a_protected_path_needs_it_to_be_hidden_by_a_mount(tmp_path: Path) -> None:
    root, new = tmp_path / "root", (str(tmp_path / "new"),)
    for effects in (Effects(writes=new), Effects(deletes=new)):
        with pytest.raises(SandboxError, match="without opening"):
            granted(effects, protected=(str(root),))
    root.mkdir()
    assert granted(Effects(writes=new), protected=(str(root),)).covered == (str(root),)
    with pytest.raises(SandboxError, match="without opening"):
        granted(Effects(writes=new), protected=(str(root),), mounts=False)


def test_nothing_is_created_in_the_root_of_the_file_system() -> None:
    with pytest.raises(SandboxError, match="whole file system"):
        granted(Effects(writes=("/no-such-directory/file",)))


@pytest.mark.parametrize(
    ("reads", "host_proc", "shared", "netlink"),
    [
        ((), False, False, False),
        (("/proc",), True, True, True),
        (("/",), True, True, True),
        (("/proc/net",), False, True, True),
        (("/proc/123/net",), True, True, True),
        (("/proc/123/status",), True, False, False),
        (("/proc/meminfo",), False, False, False),
        (("/sys",), False, False, True),
    ],
)
def test_observing_the_machine_is_granted_by_what_is_read(
    reads: tuple[str, ...], host_proc: bool, shared: bool, netlink: bool
) -> None:
    grants = granted(Effects(reads=reads))
    assert (grants.host_proc, grants.network.shared) == (host_proc, shared)
    assert (seccomp.AF_NETLINK in grants.network.families) is netlink
    assert not grants.network.reaches_out


def test_hosts_open_the_families_and_ports_they_need() -> None:
    network = granted(Effects(hosts=("example.org:443", "[::1]:80", "unix:/run/socket"))).network
    assert network.families == (seccomp.AF_UNIX, seccomp.AF_INET, seccomp.AF_INET6)
    assert network.ports == (3128,)
    assert network.hosts == ("example.org:443", "[::1]:80")
    assert network.reaches_out
    assert not granted(Effects(hosts=("example.org:443",))).network.reaches_out
    assert granted(Effects(hosts=("unix:/run/socket",))).network == Network((seccomp.AF_UNIX,))


def test_looking_at_the_machines_network_and_reaching_hosts_exclude_each_other() -> None:
    with pytest.raises(SandboxError, match="cannot look at"):
        granted(Effects(reads=("/proc/net/tcp",), hosts=("example.org:443",)))


@pytest.mark.parametrize("host", ["example.org", "example.org:", "a:0", "a:65536", "a:x", "a:-1", "a:\u0661"])
def test_a_host_without_a_port_is_refused(host: str) -> None:
    with pytest.raises(SandboxError, match="no port"):
        granted(Effects(hosts=(host,)))


@pytest.mark.parametrize(
    ("effects", "private"),
    [
        (Effects(), ("/tmp",)),
        (Effects(reads=("/var/log",)), ("/tmp",)),
        (Effects(reads=("/tmp/file",)), ()),
        (Effects(reads=("/",)), ()),
        (Effects(writes=("/tmp",)), ()),
        (Effects(hosts=("unix:/tmp/socket",)), ()),
    ],
    ids=["nothing", "elsewhere", "below", "above", "itself", "a socket"],
)
def test_tmp_is_the_commands_own_unless_something_there_is_granted(effects: Effects, private: tuple[str, ...]) -> None:
    grants = granted(effects)
    assert grants.private == private
    assert (rights(grants).get("/tmp", 0) == landlock.CHANGE) is (bool(private) or "/tmp" in effects.writes)
