"""Which verbs and arguments ``git_write`` passes on; option tables are read as in ``options``.

Left out on purpose: what opens an editor or a prompt, signs, runs another program, or reads a file by name.
"""

from __future__ import annotations

import posixpath
import re

from akili_cli.core.tools.git.arguments import check_path
from akili_cli.core.tools.git.options import check_texts, read_table, take_option
from akili_cli.domain.errors import InvalidArgumentsError

_STRATEGY = "-X= --strategy-option= -s= --strategy="
_SEQUENCE = "--abort --continue --quit --skip"
_TABLES = {
    "add": """
        -A --all --no-all -u --update -n --dry-run -v --verbose -f --force -N --intent-to-add --refresh
        --renormalize --ignore-errors --ignore-removal --chmod= --sparse
    """,
    "commit": """
        -m= --message= -am= -a --all --allow-empty --allow-empty-message --amend --no-edit -n --no-verify -q
        --quiet --author= --date= -s --signoff --no-signoff --dry-run --short --porcelain --branch
        --reset-author --cleanup= -o --only -i --include --fixup= --squash= -C= --reuse-message= --no-status
    """,
    "checkout": """
        -b= -B= -q --quiet -f --force --ours --theirs --detach -d -t --track[=] --no-track --orphan= -m
        --merge --conflict= --guess --no-guess --overlay --no-overlay --no-progress -l
    """,
    "branch": """
        -d -D --delete -m -M --move -c -C --copy -f --force -t --track[=] --no-track -u= --set-upstream-to=
        --unset-upstream -q --quiet --create-reflog
    """,
    "tag": "-a --annotate -m= --message= -d --delete -f --force --cleanup= --create-reflog -l --list --no-sign",
    "stash": """
        -k --keep-index --no-keep-index -q --quiet -u --include-untracked -a --all -m= --message= -S --staged
        --index
    """,
    "merge": f"""
        --ff --no-ff --ff-only --squash --no-squash --commit --no-commit -m= --message= -q --quiet -v
        --verbose --stat --no-stat -n --allow-unrelated-histories --no-edit --signoff --no-signoff --no-verify
        --autostash --no-autostash --log[=] --no-log --cleanup= --abort --continue --quit {_STRATEGY}
    """,
    "rebase": f"""
        -q --quiet -v --verbose --onto= --root --keep-base --fork-point --no-fork-point --no-ff -f
        --force-rebase --autostash --no-autostash --stat --no-stat -n --committer-date-is-author-date
        --ignore-date --reset-author-date --signoff --no-verify -m --merge -r --rebase-merges[=]
        --no-rebase-merges --empty= --keep-empty --no-keep-empty --reapply-cherry-picks
        --no-reapply-cherry-picks --update-refs --no-update-refs {_SEQUENCE} {_STRATEGY}
    """,
    "reset": "--soft --mixed --hard --merge --keep -q --quiet --no-quiet --refresh --no-refresh -N --intent-to-add",
    "rm": "-r -rf -f --force --cached -n --dry-run -q --quiet --ignore-unmatch --sparse",
    "mv": "-f --force -k -n --dry-run -v --verbose --sparse",
    "restore": """
        -s= --source= -S --staged -W --worktree -SW -q --quiet --ours --theirs -m --merge --conflict=
        --ignore-unmerged --overlay --no-overlay --no-progress
    """,
    "switch": """
        -c= --create= -C= --force-create= -d --detach --guess --no-guess -f --force --discard-changes -m
        --merge --conflict= -q --quiet -t --track[=] --no-track --orphan= --no-progress
    """,
    "cherry-pick": f"""
        -n --no-commit -x -s --signoff -m= --mainline= --ff --allow-empty --allow-empty-message
        --keep-redundant-commits {_SEQUENCE} {_STRATEGY}
    """,
}
WRITE_VERBS = tuple(_TABLES)
_OPTIONS = {name: read_table(text) for name, text in _TABLES.items()}
_READS = ("log", "diff", "show", "status", "blame", "reflog", "describe", "shortlog", "grep")
_REFUSED = {
    **dict.fromkeys(
        ("push", "fetch", "pull", "remote", "clone", "ls-remote", "submodule"),
        "it talks to other repositories; git_write changes this one only",
    ),
    "init": "it makes a repository; git_write changes those that are there",
    "clean": "it deletes files that git does not know and nobody can bring back",
    **dict.fromkeys(
        ("config", "worktree", "gc", "prune", "filter-branch", "bisect", "am", "apply", "hook"), "not offered"
    ),
}
_WITH_PATHS = frozenset(("add", "commit", "checkout", "reset", "rm", "mv", "restore", "stash"))
_STASHES = {
    "push": "-k --keep-index --no-keep-index -q --quiet -u --include-untracked -a --all -m --message -S --staged",
    "pop": "--index -q --quiet",
    "apply": "--index -q --quiet",
    "drop": "-q --quiet",
    **dict.fromkeys(("clear", "list", "branch"), ""),
}
STRATEGIES = r"ort|recursive|resolve|octopus|ours|subtree"
_CHOICES = {
    "--chmod": r"[+-]x",
    "--cleanup": r"strip|whitespace|verbatim|scissors|default",
    "--conflict": r"merge|diff3|zdiff3",
    "--empty": r"drop|keep|ask|stop",
    "--track": r"direct|inherit",
    "--log": r"\d{1,4}",
    "--rebase-merges": r"(no-)?rebase-cousins",
    "--author": r"[^<>\n]+ <[^<>\n]*>",
    "--mainline": r"\d{1,3}",
    **dict.fromkeys(("-s", "--strategy"), STRATEGIES),
    **dict.fromkeys(
        ("-X", "--strategy-option"),
        r"ours|theirs|patience|histogram|(no-)?renormalize|no-renames|find-renames(=\d{1,3}%?)?|ignore-[a-z-]+"
        r"|diff-algorithm=(patience|minimal|histogram|myers)|rename-threshold=\d{1,3}%?",
    ),
}
_GLOB = re.compile(r"[*?\[\\]")


def check_write_verb(subcommand: str) -> None:
    """Accept what ``git_write`` offers; raise ``InvalidArgumentsError`` that says why not, or which tool does it."""
    if subcommand in _TABLES:
        return
    if subcommand in _READS:
        raise InvalidArgumentsError(f"git {subcommand} changes nothing", hint="use git_read for it")
    because = _REFUSED.get(subcommand, "it is not one of git_write's subcommands")
    raise InvalidArgumentsError(f"git {subcommand[:40]!r}: {because}", hint=f"git_write offers {', '.join(_TABLES)}")


def check_write_arguments(subcommand: str, args: list[str], *, top: str, cwd: str) -> tuple[str, ...]:
    """Give the arguments to pass on, values attached; ``cwd`` lies in the work tree ``top``.

    Raises ``InvalidArgumentsError`` that names the first argument that is not allowed.
    """
    check_texts(args)

    def check(name: str, value: str) -> None:
        _check_value(subcommand, name, value)

    waiting = list(args)
    out: list[str] = []
    if subcommand == "stash":
        out.append(waiting.pop(0) if waiting and not waiting[0].startswith("-") else "push")
    while waiting:
        arg = waiting.pop(0)
        if arg == "--" and subcommand in _WITH_PATHS:
            for path in waiting:
                _check_positional(subcommand, path, top, cwd)
            out += ["--", *waiting]
            break
        if arg.startswith("-"):
            out.append(take_option(_OPTIONS[subcommand], arg, waiting, command=f"git {subcommand}", check=check))
        else:
            _check_positional(subcommand, arg, top, cwd)
            out.append(arg)
    _check_whole(subcommand, out)
    return tuple(out)


def removed_paths(subcommand: str, passed: tuple[str, ...], *, top: str, cwd: str) -> tuple[str, ...]:
    """Give what ``git rm`` takes out of the work tree; for a pattern its directory, unless that is the top."""
    if subcommand != "rm" or {"--cached", "-n", "--dry-run"} & set(passed):
        return ()
    cut = passed.index("--") if "--" in passed else len(passed)
    found = []
    for path in (*(arg for arg in passed[:cut] if not arg.startswith("-")), *passed[cut + 1 :]):
        literal = path
        if path.startswith(":") or _GLOB.search(path):
            literal = "" if path.startswith(":") else posixpath.dirname(_GLOB.split(path)[0])
        full = posixpath.normpath(posixpath.join(cwd, literal)) if literal else top
        if full != top:
            found.append(full)
    return tuple(dict.fromkeys(found))


def name_of(arg: str) -> str:
    """Give an option's name without its value."""
    if arg.startswith("--"):
        return arg.partition("=")[0]
    return arg if arg in ("-rf", "-SW", "-am") else arg[:2]


def _check_value(subcommand: str, name: str, value: str) -> None:
    choices = _CHOICES.get(name)
    if subcommand == "cherry-pick" and name == "-m":
        choices = _CHOICES["--mainline"]
    if subcommand == "restore" and name == "-s":
        choices = None
    free = name in ("-m", "--message", "-am", "--date") and choices is None
    if not value or (choices and not re.fullmatch(choices, value)) or (value.startswith("-") and not (free or choices)):
        raise InvalidArgumentsError(f"git {subcommand} {name}: the value {value[:60]!r} is not allowed")


def _check_positional(subcommand: str, arg: str, top: str, cwd: str) -> None:
    if not arg:
        raise InvalidArgumentsError(f"git {subcommand}: an argument is empty")
    if any(ord(char) < ord(" ") for char in arg):
        raise InvalidArgumentsError(f"git {subcommand}: {arg!r} holds control characters")
    if subcommand in _WITH_PATHS:
        check_path(arg, top, cwd)
    if subcommand in ("rm", "mv", "add") and _inside_git(arg, cwd):
        raise InvalidArgumentsError(f"git {subcommand}: {arg!r} lies in git's own directory")


def _inside_git(arg: str, cwd: str) -> bool:
    return ".git" in posixpath.normpath(posixpath.join(cwd, arg)).lower().split("/")


def _check_whole(subcommand: str, out: list[str]) -> None:
    """Refuse what is only wrong as a whole: a list where a change was meant, a stash that git would not understand."""
    options = {name_of(arg) for arg in out if arg.startswith("-")}
    positional = [arg for arg in out if not arg.startswith("-")]
    if (
        subcommand == "branch"
        and not positional
        and "--unset-upstream" not in options
        and not any(arg.startswith(("-u", "--set-upstream-to")) for arg in out)
    ):
        raise InvalidArgumentsError("git branch without a name only lists", hint="use git_read for it")
    if subcommand == "stash":
        allowed = _STASHES.get(out[0])
        if allowed is None:
            raise InvalidArgumentsError(f"git stash {out[0]!r} is not offered", hint=f"offered: {', '.join(_STASHES)}")
        if wrong := sorted(options - {"--", *allowed.split()}):
            raise InvalidArgumentsError(f"git stash {out[0]} takes no {wrong[0]}")
        if out[0] == "list" and len(out) > 1:
            raise InvalidArgumentsError("git stash list takes no more words")
