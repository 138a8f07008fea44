"""Local servers that speak what chat services, webhooks and mail servers speak, faults included.

Each is real: an HTTP server that checks requests as the service does, and aiosmtpd. ``faults`` are used up first, one
a request; ``taken`` holds what was really accepted.
"""

from __future__ import annotations

import asyncio
import contextlib
import email
import email.policy
import html.parser
import json
import re
import ssl
import warnings
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any, Literal

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

Fault = Literal["permanent", "transient", "limited", "cut", "hang"]
WAIT_S = 37
TELEGRAM_TOKEN = "123456789:AAExampleBotTokenForTestsOnly00000"
SLACK_TOKEN = "xoxb-0000-tests-only-slack-token"
WHATSAPP_TOKEN = "EAAtestsOnlyWhatsAppToken000000"
HOOK_SECRET = "tests-only-webhook-secret-0000"
SMTP_USER, SMTP_PASSWORD = "akili@example.test", "tests-only-smtp-password"


@dataclass(frozen=True)
class Got:
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


@dataclass
class HttpService:
    """An API under ``/``. ``requests`` counts what came in, ``taken`` what was accepted."""

    port: int = 0
    faults: list[Fault] = field(default_factory=list)
    requests: list[Got] = field(default_factory=list)
    taken: list[Got] = field(default_factory=list)
    hanging: asyncio.Event = field(default_factory=asyncio.Event)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def accepted(self, got: Got) -> tuple[int, dict[str, Any] | None]:
        """Check a request; give status and answer."""
        raise NotImplementedError

    def refused(self, fault: Fault) -> tuple[int, dict[str, Any], dict[str, str]]:
        status = {"permanent": 400, "transient": 503, "limited": 429}[fault]
        return status, {"error": "a fault of the test"}, {"Retry-After": str(WAIT_S)} if fault == "limited" else {}

    def texts(self) -> list[str]:
        """Give what was accepted as people read it."""
        raise NotImplementedError

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.tasks.add(task)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, ssl.SSLError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            first, *lines = head.split("\r\n")
            headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines) if k}
            got = Got(first.split(" ")[1], headers, await reader.readexactly(int(headers.get("content-length", 0))))
            self.requests.append(got)
            fault = self.faults.pop(0) if self.faults else None
            if fault == "hang":
                self.hanging.set()
                await reader.read()
            if fault in ("cut", "hang"):
                writer.transport.abort()
                return
            more: dict[str, str] = {}
            if fault is not None:
                status, answer, more = self.refused(fault)
            else:
                status, accepted = self.accepted(got)
                answer = accepted or {}
                if status < 300 and answer.get("ok") is not False:
                    self.taken.append(got)
            body = json.dumps(answer).encode()
            lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", *(f"{k}: {v}" for k, v in more.items())]
            writer.write("\r\n".join([*lines, "", ""]).encode() + body)
            await writer.drain()
        writer.close()
        with contextlib.suppress(OSError, ssl.SSLError):
            await writer.wait_closed()


class _Visible(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.text, self.open = "", [""]

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        assert tag in ("b", "i", "code", "pre", "a"), tag
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def visible(markup: str) -> str:
    """Give what Telegram shows of its HTML."""
    parser = _Visible()
    parser.feed(markup)
    parser.close()
    assert parser.open == [""]
    return parser.text


def units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


class TelegramService(HttpService):
    def accepted(self, got: Got) -> tuple[int, dict[str, Any]]:
        if got.path != f"/bot{TELEGRAM_TOKEN}/sendMessage":
            return 404, {"ok": False, "error_code": 404, "description": "Not Found"}
        body = got.json
        if body.get("parse_mode") != "HTML" or not 0 < units(visible(body["text"])) <= 4096:
            return 400, {"ok": False, "error_code": 400, "description": "Bad Request: message is too long"}
        return 200, {"ok": True, "result": {"message_id": len(self.taken) + 1}}

    def refused(self, fault: Fault) -> tuple[int, dict[str, Any], dict[str, str]]:
        if fault == "limited":
            said = {"ok": False, "error_code": 429, "description": "Too Many Requests"}
            return 429, {**said, "parameters": {"retry_after": WAIT_S}}, {}
        if fault == "permanent":
            return 403, {"ok": False, "error_code": 403, "description": "Forbidden: bot was blocked by the user"}, {}
        return 502, {"ok": False}, {}

    def texts(self) -> list[str]:
        return [visible(got.json["text"]) for got in self.taken]


class SlackService(HttpService):
    def accepted(self, got: Got) -> tuple[int, dict[str, Any]]:
        if got.path != "/api/chat.postMessage":
            return 404, {"ok": False}
        if got.headers.get("authorization") != f"Bearer {SLACK_TOKEN}":
            return 200, {"ok": False, "error": "invalid_auth"}
        if not 0 < len(got.json["text"]) <= 4000:
            return 200, {"ok": False, "error": "msg_too_long"}
        return 200, {"ok": True, "channel": got.json["channel"], "ts": "1.2"}

    def refused(self, fault: Fault) -> tuple[int, dict[str, Any], dict[str, str]]:
        if fault == "permanent":
            return 200, {"ok": False, "error": "channel_not_found"}, {}
        if fault == "transient":
            return 200, {"ok": False, "error": "internal_error"}, {}
        return super().refused(fault)

    def texts(self) -> list[str]:
        out = [got.json["text"] for got in self.taken]
        return [t.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&") for t in out]


class WhatsAppService(HttpService):
    def accepted(self, got: Got) -> tuple[int, dict[str, Any]]:
        if got.headers.get("authorization") != f"Bearer {WHATSAPP_TOKEN}":
            return 401, {"error": {"message": "Invalid OAuth access token", "code": 190}}
        body = got.json
        fits = body.get("messaging_product") == "whatsapp" and 0 < len(body["text"]["body"]) <= 4096
        if not re.fullmatch(r"/v21\.0/\d+/messages", got.path) or not fits:
            return 400, {"error": {"message": "Invalid parameter", "code": 100}}
        return 200, {"messaging_product": "whatsapp", "messages": [{"id": "wamid.1"}]}

    def refused(self, fault: Fault) -> tuple[int, dict[str, Any], dict[str, str]]:
        if fault == "permanent":
            return 400, {"error": {"message": "Recipient phone number not in allowed list", "code": 131030}}, {}
        return super().refused(fault)

    def texts(self) -> list[str]:
        return [got.json["text"]["body"] for got in self.taken]


class SignalService(HttpService):
    def accepted(self, got: Got) -> tuple[int, dict[str, Any]]:
        body = got.json
        if got.path != "/v2/send" or set(body) != {"message", "number", "recipients"} or len(body["recipients"]) != 1:
            return 400, {"error": "Couldn't process request - invalid request"}
        return 201, {"timestamp": "1771300000000"}

    def texts(self) -> list[str]:
        return [got.json["message"] for got in self.taken]


class WebhookService(HttpService):
    def accepted(self, got: Got) -> tuple[int, None]:
        return (204 if got.path == "/hook" else 404), None

    def texts(self) -> list[str]:
        return [f"{got.json['subject']}\n\n{got.json['body']}" for got in self.taken]


class JsonService(HttpService):
    """What apprise's json:// posts to."""

    def accepted(self, _got: Got) -> tuple[int, dict[str, Any]]:
        return 200, {}

    def texts(self) -> list[str]:
        return [f"{got.json['title']}\n\n{got.json['message']}" for got in self.taken]


@contextlib.asynccontextmanager
async def serving(service: HttpService, tls: ssl.SSLContext | None = None) -> AsyncIterator[HttpService]:
    server = await asyncio.start_server(service.serve, "127.0.0.1", 0, ssl=tls)
    service.port = server.sockets[0].getsockname()[1]
    try:
        yield service
    finally:
        server.close()
        await server.wait_closed()
        await asyncio.gather(*service.tasks)


@dataclass
class MailService:
    """A mail server that wants a password. ``implicit`` is TLS from the first byte, else STARTTLS."""

    implicit: bool = False
    port: int = 0
    faults: list[Fault] = field(default_factory=list)
    requests: list[bytes] = field(default_factory=list)
    taken: list[Envelope] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)
    refuse: set[str] = field(default_factory=set)
    secure: list[bool] = field(default_factory=list)

    async def handle_RCPT(
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if address in self.refuse:
            return "550 no such user here"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        self.requests.append(envelope.content)
        self.secure.append(self.implicit or session.ssl is not None)
        fault = self.faults.pop(0) if self.faults else None
        if fault == "cut":
            assert isinstance(server.transport, asyncio.Transport)
            server.transport.abort()
            return "421 gone"
        if fault is not None:
            return {"permanent": "554 refused", "transient": "451 later", "limited": "452 too many"}[fault]
        self.taken.append(envelope)
        return "250 OK"

    def authenticated(self, _server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.logins.append(data.login.decode())
        good = (data.login, data.password) == (SMTP_USER.encode(), SMTP_PASSWORD.encode())
        return AuthResult(success=good, handled=good)

    def messages(self) -> list[EmailMessage]:
        return [
            email.message_from_bytes(one.content, policy=email.policy.default)  # type: ignore[misc, arg-type]
            for one in self.taken
        ]

    def texts(self) -> list[str]:
        return [f"{one['Subject']}\n\n{one.get_content().rstrip()}" for one in self.messages()]


@contextlib.asynccontextmanager
async def mail_serving(service: MailService, tls: ssl.SSLContext | None, port: int = 0) -> AsyncIterator[MailService]:
    made: list[SMTP] = []

    def connection() -> SMTP:
        with warnings.catch_warnings(action="ignore"):  # it does not know that the socket is encrypted already
            made.append(new())
        return made[-1]

    def new() -> SMTP:
        return SMTP(
            service,
            tls_context=None if service.implicit else tls,
            require_starttls=tls is not None and not service.implicit,
            authenticator=service.authenticated,
            auth_required=tls is not None,
            auth_require_tls=not service.implicit,
        )

    loop = asyncio.get_running_loop()
    server = await loop.create_server(connection, "127.0.0.1", port, ssl=tls if service.implicit else None)
    service.port = server.sockets[0].getsockname()[1]
    try:
        yield service
    finally:
        server.close()
        await server.wait_closed()
        for one in made:
            while one.transport is not None:  # the last words of a connection take some rounds of the loop
                if isinstance(one.transport, asyncio.Transport):
                    one.transport.abort()
                await asyncio.sleep(0.005)
        await asyncio.gather(
            *(one._handler_coroutine for one in made if one._handler_coroutine is not None), return_exceptions=True
        )
        await asyncio.sleep(0.01)
