"""The runbook verbs: list, show, validate, test, match, and the player for a conversation."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from akili_cli.adapters.storage.base import Connection, Database, Row
from akili_cli.domain.errors import ConfigError, NotFoundError
from akili_cli.domain.messages import Message, TextBlock, ToolUseBlock
from akili_cli.domain.nearest import nearest
from akili_cli.features.runbooks.checks import check_runbook, from_error
from akili_cli.features.runbooks.inputs import missing_inputs, resolve_inputs
from akili_cli.features.runbooks.logic import index_body, rank
from akili_cli.features.runbooks.model import Match, Problem, Runbook, Severity
from akili_cli.features.runbooks.play import Player, call_prefix, last_turn
from akili_cli.features.runbooks.rehearsal import RehearsalResult, rehearse
from akili_cli.features.runbooks.report import FinalReport
from akili_cli.features.runbooks.source import load_runbook, parse_runbook, read_text, runbook_files, slug_of

CANDIDATES = 50
PLAY_THRESHOLD = 0.3


@dataclass(frozen=True, slots=True)
class Standing:
    """A player that has nothing to play, only something to say."""

    report: FinalReport

    @property
    def skill(self) -> None:
        """Nothing is played."""

    def next(self, _messages: Sequence[Message], _tools: frozenset[str] | None = None) -> FinalReport:
        """Give the report."""
        return self.report


Chosen = Player | Standing


class RunbookService:
    """Runbooks of one or more folders; where two hold the same file name, the first folder wins."""

    def __init__(self, db: Database, directories: Sequence[Path], *, org: str = "default") -> None:
        """Keep the database that holds the organisation's search index, and the folders in order of precedence."""
        self._db = db
        self._org = org
        self._directories = tuple(directories)

    def files(self) -> dict[str, Path]:
        """Give the runbook files by slug."""
        out: dict[str, Path] = {}
        for directory in self._directories:
            for path in runbook_files(directory):
                out.setdefault(slug_of(path), path)
        return dict(sorted(out.items()))

    def list(self) -> tuple[Runbook, ...]:
        """Give every readable runbook, by slug; ``validate`` names the others."""
        out = []
        for path in self.files().values():
            try:
                out.append(load_runbook(path))
            except ConfigError:
                continue
        return tuple(out)

    def show(self, name: str) -> Runbook:
        """Give one runbook by slug or name; ``NotFoundError`` names the nearest, ``ConfigError`` a bad file."""
        files = self.files()
        slug = slug_of(Path(f"{name}.md")) if name not in files else name
        if slug in files:
            return load_runbook(files[slug])
        for runbook in self.list():
            if runbook.name.casefold() == name.casefold():
                return runbook
        known = ", ".join(files) or "none"
        raise NotFoundError(f"there is no runbook {name!r}{nearest(name, files)}", hint=f"runbooks: {known}")

    def validate(
        self, paths: Sequence[Path] | None = None, *, tools: Collection[str] | None = None
    ) -> tuple[Problem, ...]:
        """Check files (all when none are named) against schema, tools, headings and recorded outputs."""
        out: list[Problem] = []
        for path in paths if paths is not None else self._every_file():
            out += check_runbook(path, tools)
        if paths is None:
            out += self._shadowed()
        return tuple(out)

    def _every_file(self) -> tuple[Path, ...]:
        return tuple(path for directory in self._directories for path in runbook_files(directory))

    def _shadowed(self) -> tuple[Problem, ...]:
        used = self.files()
        return tuple(
            Problem(str(path), None, "warning", f"not used: {used[slug_of(path)]} comes first")
            for path in self._every_file()
            if used[slug_of(path)] != path
        )

    def test(self, name: str) -> RehearsalResult:
        """Play a runbook against its recorded outputs; ``NotFoundError`` when it has none."""
        return rehearse(self.show(name))

    async def sync(self) -> tuple[Problem, ...]:
        """Bring the search index up to date with the files; gives the files that could not be read."""
        indexed = await self._db.read(lambda connection: _indexed(connection, self._org))
        fresh, problems, present = await asyncio.to_thread(_changes, self.files().values(), indexed)
        gone = [path for path in indexed if path not in present]
        if fresh or gone:
            await self._db.write(lambda connection: _store(connection, self._org, fresh, gone))
        return tuple(problems)

    async def match(self, message: str, *, limit: int = 2, threshold: float = 0.05) -> tuple[Match, ...]:
        """Give the runbooks that fit a message, best first; the same message gives the same answer."""
        await self.sync()
        rows = await self._db.search("runbook_texts", message, CANDIDATES, org=self._org)
        return rank(
            message,
            [{**row, "slug": slug_of(Path(str(row["path"])))} for row in rows],
            limit=limit,
            threshold=threshold,
        )

    def player(self, name: str, inputs: Mapping[str, object]) -> Player:
        """Give the player of one runbook; ``NotFoundError``, or ``UsageError`` for inputs that do not fit."""
        runbook = self.show(name)
        return Player(runbook, resolve_inputs(runbook.front.inputs, inputs))

    def pinned(self, name: str, inputs: Mapping[str, object]) -> Callable[[Sequence[Message]], Awaitable[Chosen]]:
        """Give a player factory that always plays one runbook; raises like ``player``."""
        player = self.player(name, inputs)

        async def give(_messages: Sequence[Message]) -> Chosen:
            return player

        return give

    async def choose(self, messages: Sequence[Message]) -> Chosen:
        """Give the player for a conversation: the runbook under way, else the one that fits the last message."""
        person, turn = last_turn(messages)
        under_way = self._under_way(turn)
        if under_way is not None:
            return self._play(self.show(under_way))
        said = _trusted_text(person)
        matches = await self.match(said, limit=1, threshold=PLAY_THRESHOLD)
        if not matches:
            return Standing(self._nothing_fits())
        return self._play(await asyncio.to_thread(load_runbook, Path(matches[0].path)))

    def _under_way(self, turn: Sequence[Message]) -> str | None:
        calls = [block.id for message in turn for block in message.blocks if isinstance(block, ToolUseBlock)]
        fitting = [slug for slug in self.files() if any(one.startswith(call_prefix(slug)) for one in calls)]
        return max(fitting, key=len, default=None) if calls else None

    def _play(self, runbook: Runbook) -> Chosen:
        missing = missing_inputs(runbook.front.inputs, {})
        if not missing:
            return Player(runbook, resolve_inputs(runbook.front.inputs, {}))
        command = f"akili runbooks run {runbook.slug} " + " ".join(f"--input {name}=..." for name in missing)
        helps = [f"`{name}`: {runbook.front.inputs[name].help or runbook.front.inputs[name].type}" for name in missing]
        return Standing(
            FinalReport(
                runbook=runbook.slug,
                name=runbook.name,
                severity=Severity.UNKNOWN,
                summary=f"{runbook.name} fits, but nothing was played: it needs {', '.join(missing)}.",
                next_steps=(f"Run `{command}`.", *helps),
            )
        )

    def _nothing_fits(self) -> FinalReport:
        known = [f"`{one.slug}`: {one.front.description or one.front.category}" for one in self.list()]
        return FinalReport(
            runbook="",
            name="no runbook",
            severity=Severity.UNKNOWN,
            summary="No model is configured and no runbook fits this message, so nothing was done.",
            next_steps=(
                "Ask for one of the runbooks below, or play one with `akili runbooks run NAME`.",
                "To have a model answer, set ANTHROPIC_API_KEY, OPENAI_API_KEY or GEMINI_API_KEY.",
                "To use a model of your own, name it under `providers` in the configuration.",
                *known,
            ),
        )


def _trusted_text(message: Message | None) -> str:
    """Give what the person wrote; attached text from outside does not choose what is played."""
    blocks = message.blocks if message is not None else ()
    return " ".join(block.text for block in blocks if isinstance(block, TextBlock) and block.untrusted is None)


def _changes(paths: Iterable[Path], indexed: Mapping[str, str]) -> tuple[list[Row], list[Problem], set[str]]:
    """Give the rows to write, the files that cannot be read, and the paths that stay."""
    fresh: list[Row] = []
    problems: list[Problem] = []
    present: set[str] = set()
    for path in paths:
        try:
            text = read_text(path)
            if indexed.get(str(path)) != _digest(text):
                fresh.append(_index_row(parse_runbook(text, path=str(path))))
        except ConfigError as error:
            problems.append(from_error(error, path))
            continue
        present.add(str(path))
    return fresh, problems, present


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _index_row(runbook: Runbook) -> Row:
    return {
        "path": runbook.path,
        "name": runbook.name,
        "category": runbook.front.category,
        "body": index_body(runbook),
        "sha256": runbook.sha256,
    }


def _indexed(connection: Connection, org: str) -> dict[str, str]:
    rows = connection.execute("SELECT path, sha256 FROM runbook_texts WHERE org_id = :org", {"org": org})
    return {str(row["path"]): str(row["sha256"]) for row in rows}


def _store(connection: Connection, org: str, fresh: Sequence[Row], gone: Sequence[str]) -> None:
    for path in gone:
        sql = "DELETE FROM runbook_texts WHERE org_id = :org AND path = :path"
        connection.execute(sql, {"org": org, "path": path})
    for row in fresh:
        connection.execute(
            "INSERT INTO runbook_texts (org_id, path, name, category, body, sha256) "
            "VALUES (:org, :path, :name, :category, :body, :sha256) ON CONFLICT (org_id, path) DO UPDATE SET "
            "name = excluded.name, category = excluded.category, body = excluded.body, sha256 = excluded.sha256",
            {**row, "org": org},
        )
