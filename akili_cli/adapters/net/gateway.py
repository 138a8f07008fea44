"""The client's door to an akili gateway: one address, one key, JSON and event streams."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from akili_cli.adapters.net.answers import parsed, refusal
from akili_cli.adapters.net.frames import NoFramesError, frames
from akili_cli.adapters.net.http1 import Answer, CutError, NotReachedError, Waits, exchange
from akili_cli.adapters.net.listen import is_loopback
from akili_cli.adapters.net.urls import Target, parse_url
from akili_cli.domain.clock import Clock
from akili_cli.domain.errors import AkiliError, InvalidArgumentsError, UnavailableError, UsageError

if TYPE_CHECKING:
    import ssl

CONNECT_S, ANSWER_S, IDLE_S = 5.0, 90.0, 60.0  # a ruling may wait a minute for what came of the call
MAX_PAGE = 200
MAX_BODY_BYTES = 64 * 1024 * 1024
MAX_KEY_CHARS = 500
MIN_HIDDEN_CHARS = 8
TRIES, FIRST_WAIT_S = 6, 0.25
USER_AGENT = "akili"
_NO_GATEWAY = "is that an akili gateway?"
_KEY = re.compile(r"[\x21-\x7e]+")
Body = Mapping[str, object]


class BrokenStreamError(AkiliError):
    """A stream ended before the run did; what became of the run is not known here."""

    code = "broken_stream"


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame of a run's events: its number, its name, its data."""

    number: int
    name: str
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer; ``body`` is what its JSON says."""

    status: int
    headers: Mapping[str, str]
    body: Any


def parse_gateway_url(text: str) -> Target:
    """Read a gateway's address: http or https, perhaps with a path in front of everything; raises ``UsageError``."""
    try:
        target = parse_url(text.strip())
    except InvalidArgumentsError as error:
        raise UsageError(f"the gateway's address is not usable: {error}", hint="as https://akili.example.com") from None
    if "?" in text or "#" in text:
        raise UsageError("the gateway's address holds a ? or #, which no address of a gateway has")
    return Target(target.scheme, target.host, target.port, target.path.rstrip("/"))


class Gateway:
    """Speaks to one gateway as whoever holds the key. The key goes to this address only and is in no error."""

    def __init__(self, url: str, key: str, *, clock: Clock, tls: ssl.SSLContext | None = None) -> None:
        """Keep address and key; ``tls`` replaces the system's trust. Raises ``UsageError``, which shows no key."""
        self._base = parse_gateway_url(url)
        if not _KEY.fullmatch(key) or len(key) > MAX_KEY_CHARS:
            raise UsageError("the API key holds characters that no key has", hint="see AKILI_API_KEY and --api-key")
        self._key = key
        self._clock = clock
        self._tls = tls

    @property
    def name(self) -> str:
        """The address as it is shown."""
        return self._base.url

    @property
    def in_the_clear(self) -> bool:
        """Whether the key can be read on its way: plain http to another machine."""
        here = is_loopback(self._base.host) if self._base.is_address else self._base.host == "localhost"
        return self._base.scheme == "http" and not here

    async def get(self, path: str, query: Mapping[str, object] | None = None) -> Any:  # noqa: ANN401 - whatever JSON holds
        """Give what a path answers; raises ``AkiliError`` of the kind that the gateway's answer says."""
        return (await self.send("GET", path, query=query, strict=True)).body

    async def rows(self, path: str, query: Mapping[str, object] | None = None, limit: int = 10_000) -> list[Any]:
        """Give the first ``limit`` rows of a list, page by page; raises as ``get``."""
        found: list[Any] = []
        cursor: str | None = None
        while len(found) < limit:
            asked = {**(query or {}), "limit": min(limit - len(found), MAX_PAGE), "cursor": cursor}
            reply = await self.send("GET", path, query=asked, strict=True)
            if not isinstance(reply.body, list) or not all(isinstance(row, dict) for row in reply.body):
                raise AkiliError(f"{self.name} answered with something that is no list", hint=_NO_GATEWAY)
            found += reply.body
            cursor = reply.headers.get("x-next-cursor")
            if not cursor or not reply.body:
                break
        return found[:limit]

    async def post(self, path: str, body: Body | None = None) -> Any:  # noqa: ANN401 - whatever JSON holds
        """Post and give the answer; raises as ``get``. Nothing is ever posted twice."""
        return (await self.send("POST", path, body=body or {}, strict=True)).body

    async def send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, object] | None = None,
        body: Body | None = None,
        strict: bool = False,
        answer_s: float = ANSWER_S,
    ) -> Reply:
        """Send one request and give its whole answer, whatever the status; ``strict`` raises for all but 200 to 299.

        Raises ``UnavailableError`` when the gateway cannot be reached, ``AkiliError`` for what is no gateway's answer.
        """
        given = {name: value for name, value in (query or {}).items() if value is not None}
        where = f"{path}?{urlencode(given, doseq=True)}" if given else path
        try:
            async with self._sent(method, where, body, accept="application/json", answer_s=answer_s) as answer:
                reply = await self._whole(answer)
        except CutError as error:
            raise UnavailableError(f"{self.name}: {error}", retryable=True) from error
        if strict and not 200 <= reply.status < 300:  # noqa: PLR2004 - HTTP statuses read best as numbers
            raise self.error(reply)
        return reply

    def error(self, reply: Reply) -> AkiliError:
        """Give the error that an answer stands for."""
        return refusal(reply.status, reply.headers, reply.body, self.name)

    async def ask(self, body: Body) -> AsyncGenerator[Frame, None]:
        """Put a question and yield the frames of its run, up to and with ``done``.

        A stream that is cut goes on where it was, by ``GET`` and within bounds; the question is posted once.
        Raises ``BrokenStreamError`` when that does not work, and as ``get``.
        """
        async with aclosing(self._frames("POST", "/v1/query/stream", body, 0)) as begun:
            last, run_id, broken = 0, "", None
            try:
                async for frame in begun:
                    last, run_id = frame.number or last, run_id or str(frame.data.get("run_id") or "")
                    yield frame
                    if frame.name == "done":
                        return
            except CutError as error:
                broken = error
        if not run_id:
            message = f"{self.name}: the stream ended before the run's id was known ({broken or 'no frame came'})"
            raise BrokenStreamError(message, hint="look what became of it: GET /v1/runs")
        async with aclosing(self.follow(run_id, last)) as rest:
            async for frame in rest:
                yield frame

    async def follow(self, run_id: str, last: int = 0) -> AsyncGenerator[Frame, None]:
        """Yield the frames of a run after number ``last``, up to and with ``done``; a cut stream is taken up again."""
        path, failed = f"/v1/runs/{quote(run_id, safe='')}/events", 0
        while True:
            try:
                async with aclosing(self._frames("GET", path, None, last)) as going:
                    async for frame in going:
                        if frame.number and frame.number <= last and frame.name != "error":
                            continue  # an error comes with the number before its end's, and again with it
                        failed, last = 0, frame.number or last
                        yield frame
                        if frame.name == "done":
                            return
                problem = "the stream ended before the run did"
            except (CutError, UnavailableError) as error:
                problem = str(error)
            failed += 1
            if failed > TRIES:
                hint = f"the run may go on: GET {path.removesuffix('/events')}"
                raise BrokenStreamError(f"{self.name}: {problem}", hint=hint)
            await self._clock.sleep(FIRST_WAIT_S * 2 ** (failed - 1))

    async def _frames(self, method: str, path: str, body: Body | None, last: int) -> AsyncGenerator[Frame, None]:
        async with self._sent(method, path, body, accept="text/event-stream", last=last) as answer:
            if answer.status != 200 or "text/event-stream" not in answer.headers.get("content-type", ""):  # noqa: PLR2004 - as above
                raise self._not_a_stream(await self._whole(answer))
            try:
                async with aclosing(frames(answer.pieces())) as raw:
                    async for one in raw:
                        data = parsed(self._clean(one.data))
                        if not isinstance(data, dict):
                            raise BrokenStreamError(f"{self.name}: a frame of the stream holds no JSON object")
                        yield Frame(one.number, one.name, data)
            except NoFramesError as error:
                raise BrokenStreamError(f"{self.name}: {error}") from error

    def _not_a_stream(self, reply: Reply) -> AkiliError:
        if reply.status == 200:  # noqa: PLR2004 - as above
            return BrokenStreamError(f"{self.name} answered with something that is no event stream")
        return self.error(reply)

    @asynccontextmanager
    async def _sent(
        self, method: str, path: str, body: Body | None, *, accept: str, last: int = 0, answer_s: float = ANSWER_S
    ) -> AsyncIterator[Answer]:
        content = b"" if body is None else json.dumps(body).encode()
        headers = [("User-Agent", USER_AGENT), ("Accept", accept), ("Authorization", f"Bearer {self._key}")]
        if body is not None:
            headers.append(("Content-Type", "application/json"))
        if last:
            headers.append(("Last-Event-ID", str(last)))
        base, waits = self._base, Waits(CONNECT_S, answer_s, IDLE_S)
        target = Target(base.scheme, base.host, base.port, base.path + path)
        try:
            async with exchange(
                method, target, tuple(headers), waits=waits, content=content, tls=self._trust()
            ) as answer:
                if answer.headers.get("content-encoding", "identity") != "identity":
                    raise AkiliError(f"{self.name} answered compressed, which was not asked for")
                yield answer
        except NotReachedError as error:
            raise UnavailableError(
                f"the gateway {self.name} cannot be reached: {error}",
                hint="see AKILI_GATEWAY_URL and --gateway-url, and whether `akili gateway` runs there",
                retryable=True,
            ) from error

    async def _whole(self, answer: Answer) -> Reply:
        body = bytearray()
        async for piece in answer.pieces():
            body += piece
            if len(body) > MAX_BODY_BYTES:
                raise AkiliError(f"{self.name} answered with more than {MAX_BODY_BYTES // 1024 // 1024} MiB")
        said = parsed(self._clean(bytes(body)))
        if said is None and 200 <= answer.status < 300 and bytes(body).strip() != b"null":  # noqa: PLR2004 - as above
            raise AkiliError(f"{self.name} answered with something that is not JSON", hint=_NO_GATEWAY)
        return Reply(answer.status, answer.headers, said)

    def _clean(self, data: bytes) -> bytes:
        """Take the key out of what came back: whoever echoes it must not bring it onto a screen or into a log.

        One so short that it stands in ordinary words is left; no gateway takes it for a key.
        """
        return data.replace(self._key.encode(), b"***") if len(self._key) >= MIN_HIDDEN_CHARS else data

    def _trust(self) -> ssl.SSLContext | None:
        if self._base.scheme == "http":
            return None
        if self._tls is None:
            import ssl

            self._tls = ssl.create_default_context()  # the system's, or SSL_CERT_FILE: operators have CAs of their own
        return self._tls
