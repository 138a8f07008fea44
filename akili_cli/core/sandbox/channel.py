"""Descriptors on their way from process to process, over Unix sockets."""

from __future__ import annotations

import _socket  # socket itself would cost the zygote 4 ms at start and size in every fork
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

Socket = _socket.socket

_CLOSE_ON_EXEC = 0x40000000
_INT = 4


def pair() -> tuple[Socket, Socket]:
    """Make two connected stream sockets."""
    return _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_STREAM)


def messages() -> tuple[Socket, Socket]:
    """Make two connected sockets that keep messages apart."""
    return _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_SEQPACKET)


def adopt(descriptor: int) -> Socket:
    """Give the socket behind a descriptor; it is closed with the socket."""
    return Socket(fileno=descriptor)


def send(sock: Socket, data: bytes, descriptors: Sequence[int]) -> None:
    """Send some bytes with descriptors, if any, in one message. Raises ``OSError``."""
    if not descriptors:
        sock.send(data)
        return
    rights = struct.pack(f"{len(descriptors)}i", *descriptors)
    sock.sendmsg([data], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, rights)])


def receive(sock: Socket, size: int, most: int) -> tuple[bytes, list[int]]:
    """Wait for up to ``size`` bytes and what came with them; no bytes mean that the other end has gone."""
    data, ancillary, _, _ = sock.recvmsg(size, _socket.CMSG_SPACE(most * _INT), _CLOSE_ON_EXEC)
    found: list[int] = []
    for level, kind, rights in ancillary:
        if (level, kind) == (_socket.SOL_SOCKET, _socket.SCM_RIGHTS):
            found += struct.unpack(f"{len(rights) // _INT}i", rights)
    return data, found
