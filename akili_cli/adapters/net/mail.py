"""Hands one message to an SMTP server the permit names, over a connection whose address was checked."""

from __future__ import annotations

import asyncio
import contextlib
import smtplib
import socket
import ssl
import threading
from collections.abc import Callable
from functools import cache
from typing import TypeVar

from akili_cli.adapters.net.outgoing import SYSTEM_WIRE, Mail, MailTls, Wire
from akili_cli.adapters.net.pinned import MAX_TRIED, tls_context
from akili_cli.adapters.net.post import failure
from akili_cli.adapters.net.resolve import checked_addresses
from akili_cli.adapters.net.urls import parse_url
from akili_cli.domain.decisions import Permit
from akili_cli.domain.errors import PolicyDeniedError, ToolFailedError

_TRANSIENT = range(400, 500)
_QUOTED_CHARS = 512
_tls = cache(tls_context)
T = TypeVar("T")


async def send_mail(
    mail: Mail,
    *,
    permit: Permit,
    private_hosts: tuple[str, ...],
    timeout_s: float,
    wire: Wire = SYSTEM_WIRE,
) -> dict[str, str]:
    """Hand in a message; give the recipients that were refused while others were taken, with the server's reason.

    Raises ``PolicyDeniedError`` for a host or address that is not allowed, ``ToolFailedError`` when the server
    fails, refuses or takes longer than ``timeout_s`` for all of it; ``retryable`` for lost connections and answers
    4xx. A password is never sent without TLS. No error shows it.
    """
    target = parse_url(f"https://{mail.authority}/")
    if mail.authority not in permit.effects.hosts:
        raise PolicyDeniedError(f"the permit does not name {mail.authority}")
    if mail.password is not None and mail.tls is MailTls.NEVER:
        raise ToolFailedError(f"a password is not sent to {mail.authority} without TLS")
    session = _Session(mail, timeout_s, None if mail.tls is MailTls.NEVER else wire.tls or _tls())
    worker: asyncio.Task[dict[str, str]] | None = None
    try:
        async with asyncio.timeout(timeout_s):
            addresses = await checked_addresses(target, private_hosts=private_hosts, resolver=wire.resolver)
            worker = asyncio.ensure_future(asyncio.to_thread(session.run, addresses))
            return await asyncio.shield(worker)
    except TimeoutError:
        raise ToolFailedError(f"{mail.authority} did not finish in {timeout_s:g} s", retryable=True) from None
    finally:
        if worker is not None and not worker.done():
            session.abort()
            with contextlib.suppress(ToolFailedError):
                await worker


class _Session:
    """One conversation with a server, in a thread; ``abort`` ends it from outside by closing its connection."""

    def __init__(self, mail: Mail, timeout_s: float, tls: ssl.SSLContext | None) -> None:
        self._mail = mail
        self._timeout_s = timeout_s
        self._tls = tls
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._aborted = False

    def run(self, addresses: tuple[str, ...]) -> dict[str, str]:
        return _translated(lambda: self._talk(addresses), self._mail.authority)

    def abort(self) -> None:
        with self._lock:
            self._aborted = True
            if self._socket is not None:
                with contextlib.suppress(OSError):
                    self._socket.shutdown(socket.SHUT_RDWR)

    def _talk(self, addresses: tuple[str, ...]) -> dict[str, str]:
        mail = self._mail
        with _PinnedSmtp(mail.host, mail.port, self._timeout_s, lambda: self._connected(addresses)) as smtp:
            smtp.ehlo_or_helo_if_needed()
            if self._tls is not None and mail.tls is MailTls.STARTTLS:
                smtp.starttls(context=self._tls)
                self._keep(smtp.sock)
                smtp.ehlo()
            if mail.username is not None and mail.password is not None:
                smtp.login(mail.username, mail.password)
            refused = smtp.sendmail(mail.sender, list(mail.recipients), mail.data)
        return {address: _quoted(code, text) for address, (code, text) in refused.items()}

    def _connected(self, addresses: tuple[str, ...]) -> socket.socket:
        last: OSError = ConnectionError("no address")
        for address in addresses[:MAX_TRIED]:
            try:
                plain = socket.create_connection((address, self._mail.port), self._timeout_s)
            except OSError as error:
                last = error
                continue
            self._keep(plain)
            if self._tls is None or self._mail.tls is not MailTls.AT_ONCE:
                return plain
            try:
                wrapped = self._tls.wrap_socket(plain, server_hostname=self._mail.host)
            except BaseException:
                plain.close()
                raise
            self._keep(wrapped)
            return wrapped
        raise last

    def _keep(self, connection: socket.socket | None) -> None:
        with self._lock:
            self._socket = connection
            if self._aborted:
                raise TimeoutError("aborted")


class _PinnedSmtp(smtplib.SMTP):
    """An SMTP client that takes the connection it is given instead of looking the host up itself."""

    def __init__(self, host: str, port: int, timeout_s: float, connected: Callable[[], socket.socket]) -> None:
        self._connected = connected
        super().__init__(host, port, timeout=timeout_s)

    def _get_socket(self, _host: str, _port: int, _timeout: float) -> socket.socket:
        return self._connected()


def _translated(act: Callable[[], T], authority: str) -> T:
    try:
        return act()
    except smtplib.SMTPRecipientsRefused as error:
        codes = {code for code, _ in error.recipients.values()}
        first = next(iter(error.recipients.values()))
        transient = any(code in _TRANSIENT for code in codes)
        raise ToolFailedError(f"{authority} refused every recipient: {_quoted(*first)}", retryable=transient) from None
    except smtplib.SMTPResponseException as error:
        said = _quoted(error.smtp_code, error.smtp_error)
        transient = error.smtp_code in _TRANSIENT or error.smtp_code < 0
        raise ToolFailedError(f"{authority} answered {said}", retryable=transient) from None
    except smtplib.SMTPNotSupportedError as error:
        raise ToolFailedError(f"{authority} cannot be used: {error}") from None
    except smtplib.SMTPServerDisconnected:
        raise ToolFailedError(f"the connection to {authority} was cut", retryable=True) from None
    except smtplib.SMTPException as error:
        raise ToolFailedError(f"{authority} cannot be used: {type(error).__name__}") from None
    except (OSError, ValueError) as error:
        raise failure(error, authority) from None


def _quoted(code: int, text: bytes | str) -> str:
    said = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return f"{code} {' '.join(said.split())[:_QUOTED_CHARS]}"
