"""The flags, settings and variables under which git runs nothing of the repository's own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from akili_cli.core.tools.git.repository import Repository

NOWHERE = "/dev/null"
_NO_MORE: Mapping[str, str] = {}

_FIRST = (
    ("core.hooksPath", NOWHERE),
    ("core.fsmonitor", "false"),
    ("core.pager", "cat"),
    ("diff.external", ""),
    ("protocol.allow", "never"),
)
_FORCED = (
    ("core.alternateRefsCommand", "false"),
    ("core.askPass", NOWHERE),
    ("core.attributesFile", NOWHERE),
    ("core.bare", "false"),
    ("core.editor", "false"),
    ("core.excludesFile", NOWHERE),
    ("core.gitProxy", "false"),
    ("core.sshCommand", "false"),
    ("branch.sort", "refname"),
    ("color.ui", "false"),
    ("diff.ignoreSubmodules", "dirty"),
    ("diff.orderFile", NOWHERE),
    ("diff.submodule", "short"),
    ("format.pretty", "medium"),
    ("gpg.format", "openpgp"),
    ("gpg.program", NOWHERE),
    ("gpg.openpgp.program", NOWHERE),
    ("gpg.ssh.program", NOWHERE),
    ("gpg.x509.program", NOWHERE),
    ("log.diffMerges", "separate"),
    ("log.showSignature", "false"),
    ("mailmap.file", NOWHERE),
    ("status.submoduleSummary", "false"),
    ("submodule.recurse", "false"),
)
_FLAGS = {
    "log": ("--no-ext-diff", "--no-textconv", "--no-show-signature", "--submodule=short"),
    "show": ("--no-ext-diff", "--no-textconv", "--no-show-signature", "--submodule=short"),
    "diff": ("--no-ext-diff", "--no-textconv", "--submodule=short", "--ignore-submodules=dirty"),
    "status": ("--ignore-submodules=dirty",),
    "branch": (),
}


def hardened_argv(subcommand: str, args: tuple[str, ...]) -> tuple[str, ...]:
    """Give the whole command line; ``args`` have passed ``check_arguments``, which allows none to undo it."""
    flags = _FLAGS[subcommand]
    if subcommand == "branch" and "--show-current" not in args:
        flags = ("--list",)
    return (*start_of_argv(), subcommand, *flags, *args)


def start_of_argv() -> tuple[str, ...]:
    """Give the command line up to the subcommand."""
    first = (token for key, value in _FIRST for token in ("-c", f"{key}={value}"))
    return ("git", "--no-pager", "--no-optional-locks", *first)


def hardened_env(
    repository: Repository, *, forced: Mapping[str, str] = _NO_MORE, silenced: Iterable[str] = ()
) -> dict[str, str]:
    """Give git's environment: the repository named outright, so that git looks for none itself.

    ``forced`` settings come on top of those forced here, ``silenced`` keys on top of the repository's own.

    Settings travel as ``GIT_CONFIG_COUNT``, which wins over every config file, takes any key and is
    inherited by what git itself starts.
    """
    values = {key.lower(): value for key, value in (*_FORCED, *forced.items())}
    taken = {*values, *(key.lower() for key, _ in _FIRST)}
    settings = [(key, "") for key in dict.fromkeys((*repository.silenced, *silenced)) if key not in taken]
    settings += [*values.items(), ("safe.directory", repository.top)]
    env = {
        "GIT_DIR": repository.git_dir,
        "GIT_COMMON_DIR": repository.common_dir,
        "GIT_WORK_TREE": repository.top,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_SYSTEM": NOWHERE,
        "GIT_CONFIG_GLOBAL": NOWHERE,
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_ALLOW_PROTOCOL": "none",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_PAGER": "cat",
        "GIT_EDITOR": "false",
        "GIT_ASKPASS": NOWHERE,
        "GIT_SSH_COMMAND": "false",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_CONFIG_COUNT": str(len(settings)),
    }
    for number, (key, value) in enumerate(settings):
        env[f"GIT_CONFIG_KEY_{number}"] = key
        env[f"GIT_CONFIG_VALUE_{number}"] = value
    return env
