"""The workspace: the one directory akili keeps its own things in, and the places no tool may touch."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from akili_cli.domain.errors import WorkspaceError

CONFIG_NAMES = ("config.yaml", "config.yml", "config.json")
_DIRECTORIES = ("audit", "runbooks", "sandbox", "logs", "undo")
_OWN_NAMES = frozenset({*CONFIG_NAMES, *_DIRECTORIES, "akili.db", "engine.db", "audit.key", "history"})
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_MAX_HOMES = 10_000
_HOME_SECRETS = (
    ".ssh",
    ".aws",
    ".azure",
    ".config/gcloud",
    ".config/gh",
    ".config/rclone",
    ".kube",
    ".docker",
    ".gnupg",
    ".netrc",
    ".pgpass",
    ".my.cnf",
    ".git-credentials",
    ".npmrc",
    ".pypirc",
    ".vault-token",
    ".password-store",
    ".local/share/keyrings",
)
_SYSTEM_SECRETS = (
    "/etc/shadow",
    "/etc/shadow-",
    "/etc/gshadow",
    "/etc/gshadow-",
    "/etc/sudoers",
    "/etc/sudoers.d",
    "/etc/ssl/private",
    "/etc/kubernetes",
    "/root/.ssh",
    "/dev/mem",
    "/dev/kmem",
    "/dev/port",
)
_SOCKETS = (
    "docker.sock",
    "docker",
    "containerd",
    "podman",
    "crio",
    "cri-dockerd.sock",
    "dockershim.sock",
    "buildkit",
)


@dataclass(frozen=True, slots=True)
class Workspace:
    """The paths of one workspace; the root is absolute and resolved."""

    root: Path

    @property
    def config_files(self) -> tuple[Path, ...]:
        """Where the user's config may stand."""
        return tuple(self.root / name for name in CONFIG_NAMES)

    @property
    def db(self) -> Path:
        """The SQLite database."""
        return self.root / "akili.db"

    @property
    def engine_db(self) -> Path:
        """Where runs that survive akili keep their steps, unless PostgreSQL does."""
        return self.root / "engine.db"

    @property
    def audit_dir(self) -> Path:
        """The audit's files."""
        return self.root / "audit"

    @property
    def audit_key(self) -> Path:
        """The key of the audit's hash chain."""
        return self.root / "audit.key"

    @property
    def runbooks_dir(self) -> Path:
        """The user's own runbooks."""
        return self.root / "runbooks"

    @property
    def logs_dir(self) -> Path:
        """Log files and crash reports."""
        return self.root / "logs"

    @property
    def undo_dir(self) -> Path:
        """What files were before akili changed them."""
        return self.root / "undo"

    @property
    def secrets_dir(self) -> Path:
        """Secrets kept by name, one private file each."""
        return self.root / "secrets"

    @property
    def history_file(self) -> Path:
        """What was typed at the prompt."""
        return self.root / "history"


def home_of(env: Mapping[str, str]) -> Path:
    """Give the user's home; raises ``WorkspaceError`` when ``HOME`` is unset or not absolute."""
    home = env.get("HOME", "")
    if not home.startswith("/"):
        what = "HOME is not an absolute path" if home else "HOME is not set"
        raise WorkspaceError(what, hint="set HOME, or AKILI_WORKSPACE to a directory of your own")
    return Path(home)


def open_workspace(env: Mapping[str, str]) -> Workspace:
    """Find the workspace (``AKILI_WORKSPACE``, else ``~/.akili``), create what is missing, check the rest.

    1. The root is resolved, so that a symlink cannot be swapped later; the link must be ours or root's.
    2. Root and directories must be owned by this user and closed to other writers; new ones are 0700.
    3. A file is written and removed, so that a full or read-only disk is said now.

    Raises ``WorkspaceError`` with a hint; ``ValueError`` never.
    """
    root = _root(env)
    try:
        resolved = _create_root(root)
        _check_directory(resolved)
        _tighten(resolved)
        for name in _DIRECTORIES:
            directory = resolved / name
            directory.mkdir(mode=0o700, exist_ok=True)
            _check_directory(directory)
        _probe(resolved)
    except (OSError, ValueError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise WorkspaceError(
            f"the workspace {str(root)!r} cannot be used: {reason}",
            hint="set AKILI_WORKSPACE to a directory of your own on a disk with room",
        ) from error
    return Workspace(resolved)


def _root(env: Mapping[str, str]) -> Path:
    text = env.get("AKILI_WORKSPACE", "")
    if not text:
        return home_of(env) / ".akili"
    if text == "~" or text.startswith("~/"):
        text = str(home_of(env)) + text[1:]
    root = Path(text).absolute()
    if os.path.realpath(root) in ("/", os.path.realpath(env.get("HOME") or "/")):
        raise WorkspaceError(
            f"AKILI_WORKSPACE is {str(root)!r}, which holds more than akili's files",
            hint="give it a directory of its own",
        )
    return root


def _create_root(root: Path) -> Path:
    if root.is_symlink() and root.lstat().st_uid not in (0, os.geteuid()):
        raise WorkspaceError(f"the workspace {str(root)!r} is a link that another user made")
    resolved = root.resolve()
    resolved.mkdir(mode=0o700, parents=True, exist_ok=True)
    return resolved


def _check_directory(path: Path) -> None:
    status = path.stat()
    if not stat.S_ISDIR(status.st_mode):
        raise WorkspaceError(f"{str(path)!r} is not a directory", hint="move that file away")
    if status.st_uid != os.geteuid():
        raise WorkspaceError(
            f"{str(path)!r} belongs to another user (uid {status.st_uid})",
            hint="set AKILI_WORKSPACE to a directory of your own",
        )
    if status.st_mode & _OTHERS_WRITE:
        raise WorkspaceError(f"others may write in {str(path)!r}", hint=f"chmod 700 {path}")


def _tighten(root: Path) -> None:
    """Close a workspace to other readers; a directory with other people's things in it stays as it is."""
    if root.stat().st_mode & _OTHERS:
        names = {path.name for path in root.iterdir()}
        if not names or names & _OWN_NAMES:
            root.chmod(0o700)


def _probe(root: Path) -> None:
    probe = root / f".probe-{secrets.token_hex(8)}"
    fd = os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.write(fd, b"akili")
    finally:
        os.close(fd)
        probe.unlink()


def protected_roots(workspace: Workspace, home: Path, own_files: tuple[Path, ...] = ()) -> tuple[str, ...]:
    """Give every path that no tool may touch: akili's own, credentials, container sockets, raw memory and disks.

    ``own_files`` are config files and directories of task files, wherever they lie.
    Each is given as written and, where it differs, as it resolves now.
    """
    places = [
        *(str(path.absolute()) for path in (workspace.root, *workspace.config_files, *own_files)),
        *(str(home / name) for name in _HOME_SECRETS),
        *_SYSTEM_SECRETS,
        *(f"{run}/{name}" for run in ("/run", "/var/run") for name in _SOCKETS),
        f"/run/user/{os.geteuid()}/docker.sock",
        f"/run/user/{os.geteuid()}/podman",
        *_ssh_host_keys(),
        *_other_homes(),
        *_block_devices(),
    ]
    found: dict[str, None] = {}
    for place in places:
        found[os.path.normpath(place)] = None
        found[os.path.realpath(place)] = None
    return tuple(found)


def _ssh_host_keys() -> Iterator[str]:
    for name in _names("/etc/ssh"):
        if name.startswith("ssh_host_") and not name.endswith(".pub"):
            yield f"/etc/ssh/{name}"


def _other_homes() -> Iterator[str]:
    for name in _names("/home")[:_MAX_HOMES]:
        yield f"/home/{name}/.ssh"


def _block_devices() -> Iterator[str]:
    for name in _names("/dev"):
        try:
            mode = os.lstat(f"/dev/{name}").st_mode
        except OSError:
            continue
        if stat.S_ISBLK(mode):
            yield f"/dev/{name}"
    if Path("/dev/mapper").is_dir():
        yield "/dev/mapper"


def _names(directory: str) -> list[str]:
    try:
        return sorted(path.name for path in Path(directory).iterdir())
    except OSError:
        return []
