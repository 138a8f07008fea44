"""The verbs on questions: ask one, look at one's own, end one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from akili_cli.adapters.storage.base import Connection, Database
from akili_cli.adapters.telemetry.redact import Redactor
from akili_cli.core.agent.history import History
from akili_cli.core.schedule.base import Job
from akili_cli.domain.calls import Principal
from akili_cli.domain.clock import Clock
from akili_cli.domain.errors import BusyError, ConflictError, InvalidArgumentsError, NotFoundError, RefusedError
from akili_cli.domain.ids import is_uuid, new_uuid
from akili_cli.features.queries import store
from akili_cli.features.queries.live import LiveRuns
from akili_cli.features.queries.model import KIND, Query, QueryDraft

Launch = Callable[[Job, str, Callable[[Connection], None]], Awaitable[None]]
"""Stores a fire that runs now (kind and what else belongs into its transaction) and starts it on this node."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryService:
    """Questions of one organisation.

    ``max_running`` bounds what is answered side by side, on all nodes together; one user gets half of it. What is
    kept of a question holds no secret that akili knows of.
    """

    db: Database
    org: str
    clock: Clock
    history: History | None
    live: LiveRuns
    launch: Launch
    is_admin: Callable[[Principal], bool]
    max_running: int
    redactor: Redactor

    async def ask(self, draft: QueryDraft, by: Principal, correlation_id: str) -> Query:
        """Keep a question and begin to answer it, as ``by``.

        Raises ``InvalidArgumentsError`` for a conversation id that is none, ``RefusedError`` for one that is not
        theirs, ``ConflictError`` while an earlier question of it is being answered, ``BusyError`` when too many are.
        """
        draft = self._without_secrets(draft)
        conversation = await self._conversation(draft, by)
        query = Query(
            id=new_uuid(),
            org=self.org,
            user=by.user,
            source=str(by.source),
            correlation_id=correlation_id,
            conversation_id=conversation,
            draft=draft,
            created_at=self.clock.now(),
        )

        def work(conn: Connection) -> None:
            self._check_room(conn, by)
            if draft.conversation_id is not None and store.is_busy(conn, self.org, conversation or ""):
                raise ConflictError(
                    "an earlier message of this conversation is still being answered",
                    hint="wait for it to end, or begin another conversation",
                )
            if self.history is not None and conversation is not None and draft.conversation_id is None:
                self.history.begin(conn, by.user, conversation)
            store.add(conn, query)

        payload = {"source": query.source, "correlation_id": correlation_id}
        job = Job(id=query.id, user=by.user, cron="", next_run_at=query.created_at, payload=payload)
        await self.launch(job, KIND, work)
        self.live.open(query.id)
        return query

    async def get(self, query_id: str, by: Principal) -> Query:
        """Give a question of one's own (an admin: anybody's); raises ``NotFoundError``."""
        found = await self.db.read(lambda conn: store.get(conn, self.org, query_id))
        if found is None or (found.user != by.user and not self.is_admin(by)):
            raise NotFoundError(f"there is no run {query_id[:80]!r}")
        return found

    async def list(
        self, by: Principal, *, open_only: bool = False, before: tuple[float, str] | None = None, limit: int = 50
    ) -> list[Query]:
        """Give the newest questions of one's own (an admin: everybody's)."""
        user = None if self.is_admin(by) else by.user
        return await self.db.read(
            lambda conn: store.newest(conn, self.org, user, open_only=open_only, before=before, limit=limit)
        )

    async def stop(self, query_id: str, by: Principal) -> Query:
        """Ask for the end of a question of one's own; one that has ended stays as it is."""
        found = await self.get(query_id, by)
        if not found.ended:
            await self.db.write(lambda conn: store.ask_to_stop(conn, self.org, found.id, by.user))
        return await self.get(query_id, by)

    def _check_room(self, conn: Connection, by: Principal) -> None:
        """Raise ``BusyError`` when there are too many; the fire of the one that comes is counted already."""
        share = max(1, self.max_running // 2)
        if store.count_open(conn, self.org) > self.max_running:
            raise BusyError(f"{self.max_running} questions are being answered already", hint="try again later")
        if store.count_open(conn, self.org, by.user) > share:
            raise BusyError(
                f"{share} questions of {by.user} are being answered already", hint="wait for one to end, or stop one"
            )

    def _without_secrets(self, draft: QueryDraft) -> QueryDraft:
        clean = self.redactor.text
        attachments = tuple(one.model_copy(update={"text": clean(one.text)}) for one in draft.attachments)
        return draft.model_copy(update={"message": clean(draft.message), "attachments": attachments})

    async def _conversation(self, draft: QueryDraft, by: Principal) -> str | None:
        """Give the conversation a question belongs to; one that is not named is begun when the question is kept."""
        wanted = draft.conversation_id
        if wanted is None:
            if self.history is None or draft.runbook is not None:
                return None
            return new_uuid()
        if draft.runbook is not None:
            raise InvalidArgumentsError("a runbook has no conversation", hint="leave conversation_id or runbook out")
        if not is_uuid(wanted):
            raise InvalidArgumentsError(f"conversation_id {wanted[:60]!r} is no UUID")
        if self.history is None:
            raise InvalidArgumentsError("conversations are not kept here", hint="set memory.enabled: true")
        if not await self.history.owns(wanted, by.user):
            raise RefusedError(f"there is no conversation {wanted} of yours")
        return wanted.lower()
