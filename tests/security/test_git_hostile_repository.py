"""A repository that tries to run a program, read elsewhere or talk to somebody; a marker shows what ran."""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from akili_cli.core.sandbox.backends.process import ProcessSandbox
from akili_cli.core.sandbox.base import Sandbox
from akili_cli.core.sandbox.settings import SandboxSettings
from akili_cli.core.tools.builtin.git_read import GitRead, GitReadArgs
from akili_cli.domain.calls import ToolOutput
from akili_cli.domain.clock import SystemClock
from akili_cli.domain.errors import InvalidArgumentsError
from tests.fakes.permits import permit_for
from tests.fakes.repositories import git
from tests.fakes.sandbox import PlainSandbox


def make_repo(where: Path) -> Path:
    (where / "sub").mkdir(parents=True)
    git(where, "init", "-q", "-b", "main")
    (where / "a.txt").write_text("one\n")
    (where / "b.bin").write_text("bee\n")
    git(where, "add", ".")
    git(where, "commit", "-qm", "first")
    (where / "a.txt").write_text("two\n")
    git(where, "commit", "-qam", "second")
    (where / "a.txt").write_text("three\n")
    (where / "b.bin").write_text("buzz\n")
    return where


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that every uid may enter: confined commands of root run as nobody."""
    with tempfile.TemporaryDirectory(prefix="akili-test-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def evil(place: Path) -> str:
    """A program that leaves a marker wherever the caller of git may write."""
    marks = place / "marks"
    marks.mkdir()
    marks.chmod(0o777)
    program = place / "evil"
    program.write_text(f"#!/bin/sh\necho ran >> {marks}/ran\ncat\nexit 0\n")
    program.chmod(0o755)
    return str(program)


@pytest.fixture
def repo(place: Path) -> Path:
    return make_repo(place / "repo")


@pytest.fixture(params=["plain", "confined"])
async def sandbox(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Sandbox]:
    chosen: Sandbox = PlainSandbox()
    if request.param == "confined":
        chosen = ProcessSandbox(SandboxSettings(), tmp_path / "scratch", SystemClock())
    yield chosen
    await chosen.close()


QUESTIONS = [
    ["log", "-p", "-2"],
    ["log", "--stat", "--graph", "--all"],
    ["log", "-L1,1:a.txt"],
    ["log", "--pretty=fuller", "-Stwo"],
    ["diff"],
    ["diff", "HEAD", "--stat"],
    ["diff", "--cached"],
    ["status"],
    ["status", "--porcelain=v2", "-b", "--ignored"],
    ["show", "HEAD"],
    ["show", "HEAD:a.txt"],
    ["branch", "-avv"],
]


async def ask_all(sandbox: Sandbox, repo: Path, evil: str) -> list[ToolOutput]:
    reader = GitRead(sandbox, home="/", cwd="/")
    answers = []
    for subcommand, *args in QUESTIONS:
        asked = GitReadArgs(subcommand=subcommand, repo_path=str(repo), args=args)
        answers.append(await reader.run(asked, permit_for(reader.effects(asked), tool="git_read")))
    marks = Path(evil).parent / "marks"
    assert list(marks.iterdir()) == []
    return answers


def shown(answers: list[ToolOutput]) -> str:
    return "\n".join(answer.text for answer in answers)


async def test_the_marker_program_works_when_git_is_used_plainly(repo: Path, evil: str) -> None:
    git(repo, "config", "core.fsmonitor", evil)
    git(repo, "status")
    assert (Path(evil).parent / "marks" / "ran").exists()


CONFIGS = {
    "fsmonitor": "[core]\nfsmonitor = {evil}\n",
    "pager": "[core]\npager = {evil}\n[pager]\nlog = {evil}\ndiff = {evil}\nstatus = true\n",
    "editor": "[core]\neditor = {evil}\naskpass = {evil}\nsshCommand = {evil}\ngitProxy = {evil}\n",
    "external-diff": '[diff]\nexternal = {evil}\n[diff "x"]\ncommand = {evil}\n',
    "textconv": '[diff "x"]\ntextconv = {evil}\ncachetextconv = true\n',
    "clean-filter": '[filter "x"]\nclean = {evil}\nsmudge = {evil}\nrequired = true\n',
    "process-filter": '[filter "x"]\nprocess = {evil}\nrequired\n',
    "odd-filter-name": '[filter "x"]\nclean = cat\n[filter "a=b.c ]\\""]\nclean = {evil}\nprocess = {evil}\n',
    "old-section-syntax": "[FILTER.x]\nCLEAN = {evil} [diff.x]\n[Diff.x] TextConv = {evil}\n",
    "hooks-path": "[core]\nhooksPath = {hooks}\n",
    "alias": "[alias]\nlog = !{evil}\nstatus = !{evil}\ndiff = !{evil}\n",
    "signatures": '[log]\nshowSignature = true\n[gpg]\nprogram = {evil}\nformat = ssh\n[gpg "ssh"]\nprogram = {evil}\n'
    "allowedSignersFile = /dev/null\ndefaultKeyCommand = {evil}\n[format]\npretty = %G?%GS\n",
    "pretty-alias": "[pretty]\nmedium = %G?\nfuller = %G?\n[gpg]\nprogram = {evil}\n",
    "remerge": '[log]\ndiffMerges = remerge\n[merge "x"]\ndriver = {evil}\n',
    "alternate-refs": "[core]\nalternateRefsCommand = {evil}\n",
    "submodule-summary": "[status]\nsubmoduleSummary = true\n[diff]\nsubmodule = diff\nignoreSubmodules = none\n",
    "credential": '[credential]\nhelper = !{evil}\n[trailer "x"]\ncommand = {evil}\ncmd = {evil}\n',
    "config-hook": '[hook "x"]\ncommand = {evil}\nevent = post-index-change\n',
    "mail-and-blame": "[mailmap]\nfile = /etc/passwd\nblob = HEAD:a.txt\n[blame]\nignoreRevsFile = /etc/passwd\n",
    "attributes-elsewhere": '[core]\nattributesFile = /etc/passwd\nexcludesFile = /etc/passwd\n[diff "x"]\n'
    "textconv = {evil}\ncommand = {evil}\n",
    "order-file": "[diff]\norderFile = /etc/passwd\ntool = x\nguitool = x\n[difftool]\nprompt = false\n"
    '[difftool "x"]\ncmd = {evil}\n',
    "remotes": '[remote "origin"]\nurl = ext::{evil}\nuploadpack = {evil}\n[url "ext::{evil}"]\ninsteadOf = /\n'
    '[branch "main"]\nremote = origin\nmerge = refs/heads/main\n[uploadpack]\npackObjectsHook = {evil}\n',
    "trace": "[trace2]\neventTarget = {marks}/t\nnormalTarget = {marks}/t\nperfTarget = {marks}/t\n",
    "odd-programs": "[help]\nbrowser = {evil}\nautocorrect = immediate\n[sequence]\neditor = {evil}\n"
    "[interactive]\ndiffFilter = {evil}\n[credential]\nhelper = {evil}\n[core]\naskPass = {evil}\n",
    "one-line": "[core] fsmonitor = {evil}\n",
    "unquoted-tail": '[core]\nfsmonitor = "{evil}" \\\n ; tail\n',
    "crlf": "[core]\r\n\tfsmonitor = {evil}\r\n",
}


@pytest.mark.parametrize("name", CONFIGS)
async def test_no_setting_of_the_repository_runs_anything(name: str, repo: Path, evil: str, sandbox: Sandbox) -> None:
    hooks = Path(evil).parent / "hooks"
    for where in (hooks, repo / ".git" / "hooks"):
        where.mkdir(exist_ok=True)
        for hook in ("post-index-change", "fsmonitor-watchman", "reference-transaction", "pre-auto-gc"):
            (where / hook).write_bytes(Path(evil).read_bytes())
            (where / hook).chmod(0o755)
    (repo / ".gitattributes").write_text("* filter=x diff=x merge=x\n*.bin filter=a=b.c\n")
    marks = str(Path(evil).parent / "marks")
    with (repo / ".git" / "config").open("a") as file:
        file.write(CONFIGS[name].replace("{evil}", evil).replace("{hooks}", str(hooks)).replace("{marks}", marks))
    answers = await ask_all(sandbox, repo, evil)
    assert all(answer.ok for answer in answers), shown(answers)
    assert "root:" not in shown(answers)
    assert "second" in answers[0].text
    assert "+two" in answers[0].text


async def test_included_config_is_declared_and_silenced(repo: Path, evil: str, sandbox: Sandbox) -> None:
    extra = repo.parent / "extra"
    extra.write_text(f'[filter "y"]\nclean = {evil}\n[core]\nfsmonitor = {evil}\n')
    (repo / ".git" / "inner").write_text(f"[include]\npath = {extra}\n")
    with (repo / ".git" / "config").open("a") as file:
        file.write('[includeIf "gitdir:/"]\npath = inner\n[include]\npath = missing\n')
    (repo / ".gitattributes").write_text("* filter=y\n")
    reads = GitRead(sandbox, home="/", cwd="/").effects(GitReadArgs(subcommand="log", repo_path=str(repo))).reads
    assert reads == (str(repo), str(extra))
    answers = await ask_all(sandbox, repo, evil)
    assert all(answer.ok for answer in answers), shown(answers)


async def test_work_tree_config_is_silenced_too(repo: Path, evil: str, sandbox: Sandbox) -> None:
    git(repo, "config", "extensions.worktreeConfig", "true")
    (repo / ".git" / "config.worktree").write_text(f"[core]\nfsmonitor = {evil}\n")
    answers = await ask_all(sandbox, repo, evil)
    assert all(answer.ok for answer in answers), shown(answers)


async def test_a_work_tree_setting_does_not_lead_elsewhere(repo: Path, evil: str, sandbox: Sandbox) -> None:
    secret = repo.parent / "secret"
    secret.mkdir()
    (secret / "a.txt").write_text("SECRET\n")
    git(repo, "config", "core.worktree", str(secret))
    answers = await ask_all(sandbox, repo, evil)
    assert "SECRET" not in shown(answers)
    assert "+three" in answers[4].text


async def test_a_missing_object_is_fetched_from_nobody(repo: Path, evil: str, sandbox: Sandbox) -> None:
    blob = git(repo, "rev-parse", "HEAD:a.txt").strip()
    (repo / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    with (repo / ".git" / "config").open("a") as file:
        file.write(
            "[core]\nrepositoryformatversion = 1\n[extensions]\npartialClone = origin\n"
            f'[remote "origin"]\nurl = "ext::{evil}"\npromisor = true\nuploadpack = {evil}\nvcs = evil\n'
            '[protocol "ext"]\nallow = always\n[protocol]\nallow = always\n'
        )
    answers = await ask_all(sandbox, repo, evil)
    assert not answers[10].ok


async def test_a_hostile_submodule_is_not_entered(repo: Path, evil: str, sandbox: Sandbox) -> None:
    inner = make_repo(repo.parent / "inner")
    git(repo, "submodule", "add", "-q", str(inner), "module")
    git(repo, "commit", "-qm", "with a module")
    (repo / "module" / "a.txt").write_text("changed\n")
    settings = repo / ".git" / "modules" / "module" / "config"
    settings.write_text(settings.read_text() + f"[core]\nfsmonitor = {evil}\n[diff]\nexternal = {evil}\n")
    with (repo / ".git" / "config").open("a") as file:
        file.write('[diff]\nsubmodule = diff\n[submodule]\nrecurse = true\n[submodule "module"]\nignore = none\n')
    answers = await ask_all(sandbox, repo, evil)
    assert all(answer.ok for answer in answers), shown(answers)


async def test_an_embedded_bare_repository_is_not_entered(repo: Path, evil: str, sandbox: Sandbox) -> None:
    bare = repo / "bare"
    git(repo, "init", "-q", "--bare", str(bare))
    (bare / "config").write_text(f"[core]\nbare = false\nworktree = ..\nfsmonitor = {evil}\n")
    asked = GitReadArgs(subcommand="status", repo_path=str(bare))
    reader = GitRead(sandbox, home="/", cwd="/")
    out = await reader.run(asked, permit_for(reader.effects(asked)))
    assert out.metadata["repository"] == str(repo)
    assert not list((Path(evil).parent / "marks").iterdir())


async def test_nothing_in_the_repository_is_changed(repo: Path, evil: str, sandbox: Sandbox) -> None:
    os.utime(repo / "b.bin", (1, 1))
    before = snapshot(repo)
    await ask_all(sandbox, repo, evil)
    assert snapshot(repo) == before


def snapshot(where: Path) -> dict[str, tuple[int, int]]:
    return {
        str(path): (path.lstat().st_mtime_ns, path.lstat().st_size)
        for path in sorted(where.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize(
    "config",
    [
        "[core\n",
        '[core]\nfsmonitor = "open\n',
        "[core]\n?\n",
        "fsmonitor = x\n",
        "[include]\npath = ~/x\n",
        "[include]\npath = %(prefix)/x\n",
        "[core]\nx = \\q\n",
        "[core]\nx = a\0b\n",
    ],
)
def test_a_config_that_git_or_we_cannot_read_is_refused(config: str, repo: Path, evil: str) -> None:
    (repo / ".git" / "config").write_text(config)
    with pytest.raises(InvalidArgumentsError):
        GitRead(PlainSandbox(), home="/", cwd="/").effects(GitReadArgs(subcommand="log", repo_path=str(repo)))


def test_a_borrowed_linked_or_pointed_place_is_declared_and_so_ruled_on(repo: Path, place: Path) -> None:
    other = make_repo(place / "other")
    reader = GitRead(PlainSandbox(), home="/", cwd="/")

    def reads() -> tuple[str, ...]:
        return reader.effects(GitReadArgs(subcommand="log", repo_path=str(repo))).reads

    (repo / ".git" / "objects" / "info").mkdir(exist_ok=True)
    (repo / ".git" / "objects" / "info" / "alternates").write_text(f"{other}/.git/objects\n")
    assert reads() == (str(repo), f"{other}/.git/objects")
    (repo / ".git").rename(place / "store")
    (repo / ".git").write_text(f"gitdir: {place}/store\n")
    assert set(reads()) == {str(repo), f"{place}/store", f"{other}/.git/objects"}
    (repo / ".git").write_text("gitdir: ../other/.git\n")
    assert set(reads()) == {str(repo), f"{other}/.git"}


@pytest.mark.parametrize("name", ["GIT_EXTERNAL_DIFF", "GIT_PAGER", "GIT_SSH_COMMAND", "GIT_PROXY_COMMAND", "PAGER"])
async def test_variables_of_akilis_own_do_not_reach_git(
    name: str, repo: Path, evil: str, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, evil)
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    monkeypatch.setenv("GIT_CONFIG_PARAMETERS", f"'core.fsmonitor={evil}'")
    answers = await ask_all(sandbox, repo, evil)
    assert all(answer.ok for answer in answers), shown(answers)


async def test_a_branch_named_like_an_option_is_only_a_name(repo: Path, evil: str, sandbox: Sandbox) -> None:
    head = git(repo, "rev-parse", "HEAD")
    for name in ("--output=x", "--exec=x", "-O", "@{upstream}"):
        (repo / ".git" / "refs" / "heads" / name).write_text(head)
    await ask_all(sandbox, repo, evil)
    assert not (repo / "x").exists()


async def test_a_mail_map_or_ignore_list_that_is_a_link_shows_nothing(
    repo: Path, place: Path, evil: str, sandbox: Sandbox
) -> None:
    (place / "secret").write_text("SECRET <ann@example.org>\n*.txt diff=SECRET\n")
    for name in (".mailmap", ".gitattributes", ".gitignore"):
        (repo / name).symlink_to(place / "secret")
    assert "SECRET" not in shown(await ask_all(sandbox, repo, evil))
