"""A repository that tries to run a program while it is changed; a marker shows what ran, no sandbox stands behind."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path

import pytest

from akili_cli.core.tools.builtin.git_write import GitWrite, GitWriteArgs
from akili_cli.domain.calls import ToolOutput
from akili_cli.domain.errors import InvalidArgumentsError, RefusedError
from akili_cli.domain.images import NoRepositoryImages
from tests.fakes.permits import permit_for
from tests.fakes.repositories import git
from tests.fakes.sandbox import PlainSandbox


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    where = tmp_path / "repo"
    where.mkdir()
    git(where, "init", "-q", "-b", "main")
    for text in ("one", "two"):
        (where / "a.txt").write_text(f"{text}\n")
        git(where, "add", ".")
        git(where, "commit", "-qm", text)
    git(where, "branch", "feature", "HEAD~1")
    git(where, "checkout", "-q", "feature")
    (where / "b.txt").write_text("bee\n")
    git(where, "add", ".")
    git(where, "commit", "-qm", "feature work")
    git(where, "checkout", "-q", "main")
    return where


@pytest.fixture
def marks(tmp_path: Path) -> Path:
    return tmp_path / "ran"


@pytest.fixture
def evil(tmp_path: Path, marks: Path) -> str:
    program = tmp_path / "evil"
    program.write_text(f"#!/bin/sh\necho $0 $* >> {marks}\ncat\nexit 0\n")
    program.chmod(0o755)
    return str(program)


async def call(repo: Path, subcommand: str, *args: str) -> ToolOutput:
    writer = GitWrite(PlainSandbox(), NoRepositoryImages(), home="/", cwd="/")
    asked = GitWriteArgs(subcommand=subcommand, repo_path=str(repo), args=list(args))
    return await writer.run(asked, permit_for(writer.effects(asked), tool="git_write"))


CHANGES = [
    ["add", "-A"],
    ["commit", "-m", "third", "--allow-empty"],
    ["commit", "--amend", "--no-edit"],
    ["commit", "--allow-empty"],
    ["stash", "push", "-u"],
    ["stash", "pop"],
    ["tag", "-a", "v1", "-m", "one"],
    ["tag", "-a", "v2"],
    ["merge", "--no-ff", "feature"],
    ["cherry-pick", "--allow-empty", "feature"],
    ["cherry-pick", "--skip"],
    ["rebase", "feature"],
    ["rebase", "--skip"],
    ["rebase", "--abort"],
    ["checkout", "feature"],
    ["switch", "-c", "topic"],
    ["branch", "-D", "feature"],
    ["mv", "a.txt", "c.txt"],
    ["rm", "-f", "c.txt"],
    ["restore", "--staged", "c.txt"],
    ["reset", "--hard"],
]


async def change_everything(repo: Path) -> None:
    (repo / "new.txt").write_text("new\n")
    for subcommand, *args in CHANGES:
        (repo / "a.txt").write_text("three\n")
        await call(repo, subcommand, *args)


CONFIGS = {
    "fsmonitor": "[core]\nfsmonitor = {evil}\n",
    "hooks": "[core]\nhooksPath = {hooks}\n",
    "editor": "[core]\neditor = {evil}\npager = {evil}\n[sequence]\neditor = {evil}\n",
    "signing": "[commit]\ngpgSign = true\n[tag]\ngpgSign = true\nforceSignAnnotated = true\n[gpg]\nprogram = {evil}\n",
    "ssh-signing": '[commit]\ngpgSign = true\n[gpg]\nformat = ssh\n[gpg "ssh"]\nprogram = {evil}\n',
    "verify": "[merge]\nverifySignatures = true\n[gpg]\nprogram = {evil}\n[log]\nshowSignature = true\n",
    "external-diff": '[diff]\nexternal = {evil}\n[diff "x"]\ncommand = {evil}\ntextconv = {evil}\n',
    "gc": "[gc]\nauto = 1\n[maintenance]\nauto = true\n[core]\nalternateRefsCommand = {evil}\n",
    "aliases": "[alias]\nadd = !{evil}\ncommit = !{evil}\ncheckout = !{evil}\n",
    "credentials": "[credential]\nhelper = !{evil}\n[core]\naskPass = {evil}\nsshCommand = {evil}\n",
    "trailers": '[trailer "x"]\ncommand = {evil}\ncmd = {evil}\n[trailer]\nifexists = add\n',
    "strategy": "[merge]\ndefault = evil\nff = only\nlog = 9\n[checkout]\nworkers = 0\ndefaultRemote = x\n",
    "rebase": "[rebase]\nautoSquash = true\nbackend = apply\nmissingCommitsCheck = warn\n[rerere]\nenabled = true\n",
    "interactive": "[interactive]\ndiffFilter = {evil}\n[core]\nworktree = /\nbare = true\n",
    "include": "[include]\npath = {included}\n",
    "include-by-remote": '[remote "x"]\nurl = https://x\n[includeIf "hasconfig:remote.*.url:https://x"]\n'
    "path = {included}\n",
    "odd-programs": "[core]\ngitProxy = {evil}\n[pager]\nadd = {evil}\ntag = {evil}\nstash = {evil}\n[help]\n"
    "browser = {evil}\nautocorrect = immediate\n[web]\nbrowser = {evil}\n[browser {q}x{q}]\ncmd = {evil}\n[mergetool "
    "{q}x{q}]\ncmd = {evil}\n[difftool {q}x{q}]\ncmd = {evil}\n[man {q}x{q}]\ncmd = {evil}\n",
    "remotes": "[remote {q}origin{q}]\nurl = ext::{evil}\nuploadpack = {evil}\nreceivepack = {evil}\nvcs = evil\n"
    "promisor = true\n[url {q}ext::{evil}{q}]\ninsteadOf = /\n[protocol]\nallow = always\n[uploadpack]\n"
    "packObjectsHook = {evil}\n",
    "submodules": "[submodule]\nrecurse = true\n[submodule {q}x{q}]\nupdate = !{evil}\nurl = ext::{evil}\n"
    "active = true\n[fetch]\nrecurseSubmodules = true\n",
    "work-tree-config": "[extensions]\nworktreeConfig = true\n[core]\nbare = true\nworktree = /tmp\n",
    "trace": "[trace2]\neventTarget = {evil}\nnormalTarget = {evil}\n[core]\nattributesFile = {included}\n"
    "excludesFile = {included}\n[commit]\ntemplate = {included}\nverbose = true\n",
    "hook-settings": "[hook {q}x{q}]\ncommand = {evil}\nevent = pre-commit\nevent = post-checkout\n",
    "rewrites": "[notes]\nrewriteRef = refs/notes/*\n[rebase]\nautoStash = true\nupdateRefs = true\n"
    "instructionFormat = {q}%s%nexec {evil}{q}\n[sequence]\neditor = {evil}\n",
}


@pytest.mark.parametrize("name", CONFIGS)
async def test_nothing_of_the_repositorys_own_runs(name: str, repo: Path, evil: str, marks: Path) -> None:
    hooks, included = repo.parent / "hooks", repo.parent / "included"
    for folder in (hooks, repo / ".git" / "hooks"):
        folder.mkdir(exist_ok=True)
        for hook in (
            *("pre-commit", "prepare-commit-msg", "commit-msg", "post-commit", "pre-rebase", "post-checkout"),
            *(
                "post-merge",
                "pre-merge-commit",
                "post-rewrite",
                "post-index-change",
                "reference-transaction",
                "pre-auto-gc",
            ),
        ):
            (folder / hook).write_text(Path(evil).read_text())
            (folder / hook).chmod(0o755)
    included.write_text(f"[core]\nfsmonitor = {evil}\neditor = {evil}\n")
    (repo / ".gitattributes").write_text("*.txt diff=x\n")
    with (repo / ".git" / "config").open("a") as config:
        config.write(CONFIGS[name].format(evil=evil, hooks=hooks, included=included, q='"'))
    await change_everything(repo)
    assert not marks.exists(), marks.read_text()


async def test_the_marker_works_when_git_is_used_plainly(repo: Path, evil: str, marks: Path) -> None:
    git(repo, "config", "core.fsmonitor", evil)
    git(repo, "add", "-A", check=False)
    assert marks.exists()


def refused(evil: str, repo: Path, name: str) -> None:
    config = repo / ".git" / "config"
    config.write_text(config.read_text() + f'[filter "x"]\n{name} = {evil}\n')


STATES: dict[str, Callable[[str, Path], None]] = {
    "clean-filter": lambda evil, repo: refused(evil, repo, "clean"),
    "smudge-filter": lambda evil, repo: refused(evil, repo, "smudge"),
    "filter-process": lambda evil, repo: refused(evil, repo, "process"),
    "filter-attribute": lambda _evil, repo: (repo / ".gitattributes").write_text("*.bin filter=lfs\n") and None,
}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("subcommand", ["add", "commit", "checkout", "stash", "merge"])
async def test_content_filters_are_neither_run_nor_passed_over(
    state: str, subcommand: str, repo: Path, evil: str, marks: Path
) -> None:
    STATES[state](evil, repo)
    with pytest.raises(InvalidArgumentsError, match="filters"):
        await call(repo, subcommand)
    assert not marks.exists()


async def test_a_merge_driver_is_neither_run_nor_passed_over(repo: Path, evil: str, marks: Path) -> None:
    git(repo, "config", "merge.x.driver", f"{evil} %A")
    (repo / ".gitattributes").write_text("* merge=x\n")
    for subcommand in ("merge", "rebase", "cherry-pick", "stash"):
        with pytest.raises(InvalidArgumentsError, match="merges with programs"):
            await call(repo, subcommand, *(() if subcommand == "stash" else ("feature",)))
    assert not marks.exists()


@pytest.mark.parametrize("key", ["pull.twohead", "pull.octopus"])
async def test_a_strategy_of_the_config_is_refused(key: str, repo: Path) -> None:
    git(repo, "config", key, "index")
    for subcommand in ("merge", "rebase", "cherry-pick"):
        with pytest.raises(InvalidArgumentsError, match="names merge strategies"):
            await call(repo, subcommand, "feature")


@pytest.mark.parametrize("verb", ["--continue", "--skip"])
@pytest.mark.parametrize("line", ["exec {evil}", "x {evil}", "  exec {evil}", "unknown {evil}"])
async def test_a_planted_rebase_cannot_run_a_program(verb: str, line: str, repo: Path, evil: str, marks: Path) -> None:
    notes = repo / ".git" / "rebase-merge"
    notes.mkdir()
    head = git(repo, "rev-parse", "HEAD").strip()
    for name, text in {
        "git-rebase-todo": f"{line.format(evil=evil)}\n",
        "done": "",
        "head-name": "refs/heads/main\n",
        "onto": f"{head}\n",
        "orig-head": f"{head}\n",
        "interactive": "",
    }.items():
        (notes / name).write_text(text)
    with pytest.raises(InvalidArgumentsError, match="would run"):
        await call(repo, "rebase", verb)
    assert not marks.exists()


@pytest.mark.parametrize("place", ["rebase-merge/strategy", "sequencer/opts"])
async def test_a_planted_strategy_cannot_name_a_program(place: str, repo: Path) -> None:
    file = repo / ".git" / place
    file.parent.mkdir()
    file.write_text("index\n" if place.endswith("strategy") else "[options]\nstrategy = index\nstrategy-option = x\n")
    for subcommand in ("rebase", "cherry-pick"):
        with pytest.raises(InvalidArgumentsError, match="would run 'index'"):
            await call(repo, subcommand, "--continue")


async def test_a_repository_inside_is_silenced_or_refused(repo: Path, evil: str, marks: Path) -> None:
    inside = repo / "inside"
    inside.mkdir()
    git(inside, "init", "-q")
    (inside / "f.txt").write_text("f\n")
    git(inside, "add", ".")
    git(inside, "commit", "-qm", "inside")
    git(repo, "add", "inside")
    git(repo, "commit", "-qm", "with a gitlink")
    git(inside, "config", "core.fsmonitor", evil)
    (inside / "f.txt").write_text("changed\n")
    await change_everything(repo)
    assert not marks.exists()
    git(inside, "config", "--unset", "core.fsmonitor")
    git(inside, "config", "filter.x.clean", evil)
    with pytest.raises(InvalidArgumentsError, match="content filters"):
        await call(repo, "add", "-u")
    (inside / ".git" / "config").write_text("[broken")
    with pytest.raises(InvalidArgumentsError):
        await call(repo, "add", "-u")


async def test_a_repository_that_leads_elsewhere_after_the_ruling_is_refused(repo: Path, tmp_path: Path) -> None:
    writer = GitWrite(PlainSandbox(), NoRepositoryImages(), home="/", cwd="/")
    asked = GitWriteArgs(subcommand="add", repo_path=str(repo), args=["-A"])
    permit = permit_for(writer.effects(asked), tool="git_write")
    (repo / ".git").rename(tmp_path / "elsewhere")
    (repo / ".git").write_text(f"gitdir: {tmp_path}/elsewhere\n")
    with pytest.raises(RefusedError, match="does not cover"):
        await writer.run(asked, permit)


@pytest.mark.parametrize(
    "place", ["HEAD", "index", "COMMIT_EDITMSG", "logs/HEAD", "refs/heads/topic", "logs/refs/heads"]
)
async def test_git_never_writes_through_a_link_out_of_the_repository(place: str, repo: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    path = repo / ".git" / place
    if path.exists():
        path.rename(outside)
    else:
        outside.write_text("precious\n")
    path.symlink_to(outside)
    before = sorted(outside.iterdir()) if outside.is_dir() else outside.read_bytes()
    with pytest.raises(InvalidArgumentsError, match="outside of the repository"):
        await call(repo, "commit", "--allow-empty", "-m", "x")
    assert (sorted(outside.iterdir()) if outside.is_dir() else outside.read_bytes()) == before


async def test_hooks_that_are_a_link_elsewhere_are_no_hindrance(repo: Path, evil: str, marks: Path) -> None:
    elsewhere = repo.parent / "hooks"
    (repo / ".git" / "hooks").rename(elsewhere)
    (elsewhere / "pre-commit").write_text(Path(evil).read_text())
    (elsewhere / "pre-commit").chmod(0o755)
    (repo / ".git" / "hooks").symlink_to(elsewhere)
    assert (await call(repo, "commit", "--allow-empty", "-m", "x")).ok
    assert not marks.exists()


def test_a_work_tree_path_that_leads_out_by_links_is_not_written(repo: Path, tmp_path: Path) -> None:
    """The tree has a link and, on a branch, a file where the link points: git must not write there."""
    git(repo, "switch", "-q", "feature")
    (repo / "way").mkdir()
    (repo / "way" / "x").write_text("x\n")
    git(repo, "add", ".")
    git(repo, "commit", "-qm", "a directory")
    git(repo, "switch", "-q", "main")
    (tmp_path / "outside").mkdir()
    (repo / "way").symlink_to(tmp_path / "outside")
    for line in ("checkout -f feature", "reset --hard feature", "checkout feature -- way/x"):
        asyncio.run(call(repo, *line.split()))
        assert not list((tmp_path / "outside").iterdir())


@pytest.mark.parametrize(
    "subject", ["exec touch {ran}", "x\rexec touch {ran}", "--exec=touch {ran}", "#\nexec touch {ran}"]
)
@pytest.mark.parametrize(
    "line", ["rebase feature", "rebase -r feature", "cherry-pick odd", "merge odd", "commit --fixup=odd"]
)
async def test_a_commit_message_is_never_a_command(subject: str, line: str, repo: Path, marks: Path) -> None:
    (repo / "c.txt").write_text("c\n")
    git(repo, "add", ".")
    git(repo, "commit", "-q", "--cleanup=verbatim", "-m", subject.format(ran=marks))
    git(repo, "branch", "odd")
    if "odd" in line:
        git(repo, "reset", "-q", "--hard", "HEAD~1")
    await call(repo, *line.split(), *(("--allow-empty",) if "commit" in line else ()))
    assert not marks.exists()


@pytest.mark.parametrize(
    "name", ["gpg_sign_opt", "exec", "autostash", "author-script", "strategy_opts", "git-rebase-todo"]
)
@pytest.mark.parametrize("kind", ["rebase-merge", "rebase-apply"])
async def test_notes_of_a_planted_rebase_run_nothing(kind: str, name: str, repo: Path, evil: str, marks: Path) -> None:
    notes = repo / ".git" / kind
    notes.mkdir()
    head = git(repo, "rev-parse", "HEAD").strip()
    planted = {
        "head-name": "refs/heads/main\n",
        "onto": f"{head}\n",
        "orig-head": f"{head}\n",
        "interactive": "",
        "rebasing": "",
        "next": "1\n",
        "last": "1\n",
        "done": "",
        "git-rebase-todo": f"pick {head}\n",
        "quiet": "",
        "message": "x\n",
        "0001": "x\n",
        name: {
            "gpg_sign_opt": f"-S{evil}\n",
            "author-script": f"GIT_AUTHOR_NAME='x'\nGIT_SSH_COMMAND='{evil}'\nGIT_EDITOR='{evil}'\n",
            "git-rebase-todo": f"break\nreword {head}\nfixup -c {head}\n",
        }.get(name, f"{evil}\n"),
    }
    for file, text in planted.items():
        (notes / file).write_text(text)
    with (repo / ".git" / "config").open("a") as config:
        config.write(f"[gpg]\nprogram = {evil}\n[core]\neditor = {evil}\n[sequence]\neditor = {evil}\n")
    for verb in ("--continue", "--skip", "--abort"):
        with contextlib.suppress(InvalidArgumentsError):
            await call(repo, "rebase", verb)
    assert not marks.exists()


def test_a_config_too_large_to_switch_off_is_refused(repo: Path) -> None:
    with (repo / ".git" / "config").open("a") as config:
        config.write("".join(f"[evil{number}]\n{'k' * 90} = x\n" for number in range(1000)))
    writer = GitWrite(PlainSandbox(), NoRepositoryImages(), home="/", cwd="/")
    with pytest.raises(InvalidArgumentsError, match="can be switched off"):
        writer.effects(GitWriteArgs(subcommand="add", repo_path=str(repo), args=["-A"]))
