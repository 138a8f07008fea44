"""git: what its verbs read and write, and the options by which it runs other programs."""

from __future__ import annotations

import re
from pathlib import Path

from akili_cli.core.tools.shell.call import Call
from akili_cli.core.tools.shell.names import names
from akili_cli.core.tools.shell.network import url
from akili_cli.core.tools.shell.options import OptionSpec, split
from akili_cli.core.tools.shell.words import Token

_READS = names(
    "status log diff show blame ls-files ls-tree rev-parse describe shortlog cat-file rev-list name-rev show-ref "
    "for-each-ref merge-base diff-tree diff-index diff-files grep whatchanged cherry count-objects version help "
    "check-ignore check-attr verify-commit verify-tag show-branch var range-diff annotate"
)
_WRITES = names(
    "add commit reset clean checkout switch restore stash branch tag merge rebase cherry-pick revert rm mv init config "
    "gc prune reflog remote apply am bisect notes worktree update-index update-ref symbolic-ref fsck repack "
    "pack-refs sparse-checkout replace read-tree write-tree commit-tree hash-object archive bundle format-patch"
)
_REMOTE = frozenset({"clone", "fetch", "pull", "push", "ls-remote", "submodule"})
_LOSES = frozenset({"push", "reset", "clean", "checkout", "restore", "stash", "branch", "gc", "prune", "reflog", "rm"})
_SAFE_SETTING = re.compile(
    r"(?i)(?:color\.[\w.]+|user\.(?:name|email)|core\.quotepath|advice\.\w+|safe\.directory|"
    r"log\.\w+|init\.defaultbranch|gc\.auto)=[^!]*"
)
_RUNS = re.compile(r"--(?:ex|ext-d|textc|upload-p|receive-p|open-f|exec|tool|gpg-s|run|template|config)|-x|-O")


def read_git(call: Call) -> None:
    """Note the repository, then judge the verb."""
    call.record()
    spec = OptionSpec(
        takes="Cc",
        long_takes=frozenset(("git-dir", "work-tree", "exec-path", "namespace", "super-prefix", "config-env")),
        permute=False,
    )
    args = split(call.tokens, spec)
    if args.has("git-dir", "work-tree", "exec-path", "config-env", "p", "paginate") or not all(
        _SAFE_SETTING.fullmatch(value.plain or "") for value in args.of(("c",))
    ):
        call.ledger.opaque("git with an option that can make it run other programs")
    where = args.of(("C",)) or [Token(".", ".")]
    call.touch("read", *where)
    call.ledger.fixed("read", f"{call.ledger.home}/.gitconfig", "/etc/gitconfig")
    if not args.operands:
        return
    verb, rest = args.operands[0].plain, args.operands[1:]
    if verb in _REMOTE:
        _remote(call, verb, rest)
    elif verb not in _READS | _WRITES:
        call.ledger.opaque(f"git {args.operands[0].raw} may be an alias or run other programs")
    if any(_RUNS.match(token.plain or "") for token in rest) or _hidden(verb or "", rest):
        call.ledger.opaque(f"git {verb} with an option that runs a program")
    for token in rest:
        if (token.plain or "").startswith(("--output=", "--o=", "--output-d")):
            call.touch("write", Token(token.raw, (token.plain or "").partition("=")[2]))
        elif "/" in token.raw and not token.raw.startswith("-") and "://" not in token.raw:
            call.touch("read", token)
    if verb not in _READS and not _listing(verb or "", rest):
        _writes(call, verb or "", where[-1])


def _hidden(verb: str, rest: tuple[Token, ...]) -> bool:
    first = rest[0].plain if rest else None
    return (
        (verb == "bisect" and first == "run")
        or (verb == "submodule" and first == "foreach")
        or (verb == "config" and (any("!" in token.raw or "alias" in token.raw.lower() for token in rest)))
    )


def _listing(verb: str, rest: tuple[Token, ...]) -> bool:
    words = [token.plain or "" for token in rest]
    match verb:
        case "branch" | "tag":
            return all(word in ("-a", "-r", "-v", "-vv", "-l", "--list", "--all", "--show-current") for word in words)
        case "remote":
            return words in ([], ["-v"])
        case "stash" | "worktree":
            return words[:1] in (["list"], ["show"])
        case "config":
            return words[:1] in (["--get"], ["--list"], ["-l"], ["--get-all"], ["get"], ["list"])
        case "reflog":
            return words in ([], ["show"])
        case _:
            return verb in ("ls-remote", "fsck")


def _writes(call: Call, verb: str, where: Token) -> None:
    if verb in _LOSES or verb in _REMOTE:
        call.ledger.irreversible()
    for directory in call.place.dirs:
        start = Path(directory) / (where.plain or ".")
        roots = [path for path in (start, *start.parents) if (path / ".git").exists()]
        call.touch("write", Token(where.raw, str(roots[0] if roots else start)))


def _remote(call: Call, verb: str | None, rest: tuple[Token, ...]) -> None:
    spec = OptionSpec(takes="bojucC", long_takes=names("branch depth origin upload-pack config jobs"))
    operands = split(rest, spec).operands
    target = operands[0] if operands else Token("", "")
    text = target.plain or ""
    if re.match(r"(?:https?|ssh|git)://", text):
        url(call, target)
    elif found := re.fullmatch(r"[\w.-]+@([\w.-]+):[^:]*", text):
        call.ledger.host(found.group(1), 22)
    elif verb == "clone" and text.startswith(("/", "./", "../")):
        call.touch("read", target)
    else:
        call.ledger.opaque(f"git {verb} contacts a host that is not in the command")
