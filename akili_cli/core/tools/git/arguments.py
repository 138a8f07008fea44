"""Which arguments ``git_read`` passes on: a list of what is allowed, because git keeps growing options."""

from __future__ import annotations

import posixpath
import re

from akili_cli.core.tools.git.options import check_texts, read_table, take_option
from akili_cli.domain.errors import InvalidArgumentsError
from akili_cli.domain.paths import is_within

_COLOUR = "--color[=] --no-color"
_DIFF = f"""
    -p -u --patch -s --no-patch -U= --unified= -z --raw --minimal --patience --histogram --anchored=
    --diff-algorithm= --indent-heuristic --no-indent-heuristic --stat[=] --compact-summary --numstat --shortstat
    --dirstat[=] --summary --name-only --name-status --color-moved[=] --no-color-moved --word-diff[=]
    --word-diff-regex= --color-words[=] --no-renames --full-index --abbrev[=] --no-abbrev -B[=] -M[=]
    --find-renames[=] -C[=] --find-copies[=] --find-copies-harder -D --irreversible-delete -l= --diff-filter=
    -S= -G= --pickaxe-all --pickaxe-regex -R --relative --no-relative -a --text -w -b --ignore-all-space
    --ignore-space-change --ignore-space-at-eol --ignore-cr-at-eol --ignore-blank-lines -W --function-context
    --inter-hunk-context= --no-prefix --src-prefix= --dst-prefix= --line-prefix= {_COLOUR}
"""
_COMMITS = """
    -n= --max-count= --skip= --since= --after= --until= --before= --author= --committer= --grep= --all-match
    --invert-grep -i --regexp-ignore-case -E --extended-regexp -F --fixed-strings --merges --no-merges
    --min-parents= --max-parents= --first-parent --all --branches[=] --tags[=] --remotes[=] --glob= --exclude=
    --not --boundary --left-right --left-only --right-only --cherry --cherry-mark --cherry-pick -g
    --walk-reflogs --reflog --no-walk[=] --simplify-by-decoration --full-history --dense --sparse
    --simplify-merges --ancestry-path --show-pulls --date-order --author-date-order --topo-order --reverse
    --parents --children --graph --no-graph --source --decorate[=] --no-decorate --decorate-refs=
    --decorate-refs-exclude= --clear-decorations --mailmap --no-mailmap --use-mailmap --log-size
    --ignore-missing
"""
_PRETTY = """
    --oneline --pretty[=] --format= --abbrev-commit --no-abbrev-commit --date= --relative-date --notes
    --no-notes -m --cc --combined-all-paths --diff-merges= --no-diff-merges -t -r --root
"""
_TABLES = {
    "log": f"{_DIFF} {_COMMITS} {_PRETTY} --follow --full-diff -L= -q --quiet",
    "diff": f"{_DIFF} --cached --staged --merge-base --cc -m --diff-merges=",
    "status": """
        -s --short -sb -bs -b --branch --show-stash --porcelain[=] --long -u[=] --untracked-files[=] --ignored[=] -z
        --ahead-behind --no-ahead-behind --renames --no-renames --find-renames[=] --column[=] --no-column
    """,
    "show": f"{_DIFF} {_COMMITS} {_PRETTY} -q --quiet",
    "branch": f"""
        -a --all -r --remotes -l --list -v -vv -av -avv -rv -rvv -va -vva --verbose -q --quiet --show-current
        --contains[=] --no-contains[=] --merged[=] --no-merged[=] --points-at= --sort= --format= -i
        --ignore-case --abbrev[=] --no-abbrev --column[=] --no-column {_COLOUR}
    """,
}

_ELSEWHERE = {
    **dict.fromkeys(
        (
            *("add", "am", "apply", "checkout", "cherry-pick", "clean", "commit", "config", "gc", "init"),
            *("merge", "mv", "rebase", "reset", "restore", "revert", "rm", "stash", "switch", "tag", "worktree"),
        ),
        "it changes the repository; git_read only looks",
    ),
    **dict.fromkeys(
        ("clone", "fetch", "ls-remote", "pull", "push", "remote", "submodule"),
        "it talks to other repositories; git_read only looks at this one",
    ),
}

_PRETTY_NAMES = frozenset(("oneline", "short", "medium", "full", "fuller", "reference", "email", "raw", "mboxrd"))
_MERGE_DIFFS = frozenset(("off", "none", "on", "first-parent", "separate", "combined", "dense-combined"))
_RUNS_GPG = re.compile(r"%[-+ ]*[G(]")
_BRANCH_ATOM = re.compile(
    r"(HEAD|refname|objectname|objecttype|objectsize|upstream|push|symref|subject|body|contents|numparent|parent"
    r"|tree|author(name|email|date)?|committer(name|email|date)?|creator(date)?|worktreepath|version"
    r"|color|align|end|if|then|else)(:[-\w=.,: %/+]*)?"
)
_MAGIC = re.compile(r":(\((?P<words>[^)]*)\)|(?P<signs>[/!^]*):?)")
_OF_HEAD = dict.fromkeys(("--contains", "--no-contains", "--merged", "--no-merged"), "HEAD")
_AT_REVISION = re.compile(r"@($|[{~^:.])")


def check_subcommand(subcommand: str) -> None:
    """Accept log, diff, status, show and branch; raise ``InvalidArgumentsError`` for the rest."""
    if subcommand not in _TABLES:
        known = ", ".join(_TABLES)
        because = _ELSEWHERE.get(subcommand, "it is not one of git_read's subcommands")
        raise InvalidArgumentsError(f"git {subcommand!r}: {because}", hint=f"git_read offers {known}")


def check_arguments(subcommand: str, args: list[str], *, top: str, cwd: str) -> tuple[str, ...]:
    """Give the arguments to pass on, values attached; ``cwd`` lies in the work tree ``top``.

    Raises ``InvalidArgumentsError`` that names the first argument that is not allowed.
    """
    check_texts(args)
    out: list[str] = []
    waiting = list(args)
    while waiting:
        arg = waiting.pop(0)
        if arg == "--" and subcommand != "branch":
            for path in waiting:
                check_path(path, top, cwd)
            return (*out, "--", *waiting)
        if arg.startswith("-"):
            out.append(_option(subcommand, arg, waiting))
        else:
            _check_positional(subcommand, arg, args, top, cwd)
            out.append(arg)
    return tuple(out)


_OPTIONS = {name: read_table(text) for name, text in _TABLES.items()}


def _option(subcommand: str, arg: str, waiting: list[str]) -> str:
    if subcommand in ("log", "show") and re.fullmatch(r"-\d{1,9}", arg):
        return arg

    def check(name: str, value: str) -> None:
        _check_value(subcommand, name, value)

    return take_option(_OPTIONS[subcommand], arg, waiting, command=f"git {subcommand}", check=check, implied=_OF_HEAD)


def _check_value(subcommand: str, name: str, value: str) -> None:
    if name in ("--format", "--pretty"):
        good = _is_branch_format(value) if subcommand == "branch" else _is_pretty(value)
    elif name == "--sort":
        good = _BRANCH_ATOM.fullmatch(value.removeprefix("-")) is not None
    elif name == "--diff-merges":
        good = value in _MERGE_DIFFS
    elif name in ("--contains", "--no-contains", "--merged", "--no-merged", "--points-at"):
        good = not value.startswith("-")
    else:
        return
    if not good:
        raise InvalidArgumentsError(
            f"git {subcommand} {name}={value!r} is not allowed",
            hint="values that make git check signatures, merge or call other commands are refused",
        )


def _is_pretty(value: str) -> bool:
    named = value in _PRETTY_NAMES
    custom = value.startswith(("format:", "tformat:")) or "%" in value
    return named or (custom and _RUNS_GPG.search(value.replace("%%", "")) is None)


def _is_branch_format(value: str) -> bool:
    text = value.replace("%%", "")
    atoms = re.findall(r"%\(([^()]*)\)", text)
    return text.count("%(") == len(atoms) and all(_BRANCH_ATOM.fullmatch(atom.removeprefix("*")) for atom in atoms)


def _check_positional(subcommand: str, arg: str, args: list[str], top: str, cwd: str) -> None:
    """Check what is a revision, a path or a pattern; ``-`` at the front was ruled out before."""
    if not arg:
        raise InvalidArgumentsError(f"git {subcommand}: an argument is empty")
    if subcommand == "branch" and "--show-current" in args:
        raise InvalidArgumentsError(f"git branch --show-current takes no {arg!r}")
    if arg.startswith("@") and _AT_REVISION.match(arg) is None:
        raise InvalidArgumentsError(
            f"git {subcommand}: {arg!r} is not a revision", hint="write refs/heads/@name for such a branch"
        )
    if subcommand != "branch":
        check_path(arg, top, cwd)


def check_path(arg: str, top: str, cwd: str) -> None:
    """Refuse a path outside the work tree, where ``git diff`` would read any file."""
    found = _MAGIC.match(arg)
    plain = [(cwd, arg)]
    if found is not None:
        from_top = "/" in (found["signs"] or "") or "top" in (found["words"] or "").split(",")
        plain.append((top if from_top else cwd, arg[found.end() :]))
    for start, text in plain:
        if text and not is_within(posixpath.normpath(posixpath.join(start, text)), top):
            raise InvalidArgumentsError(f"{arg!r} lies outside the repository {top!r}")
