"""Output of any length in bounded memory: the head and the tail are kept, a line says what is missing."""

from __future__ import annotations

_MARKER_BYTES = 64


class HeadTail:
    """Keeps at most ``cap_bytes``, marker included, of what is added."""

    def __init__(self, cap_bytes: int) -> None:
        """Start empty."""
        self._cap = cap_bytes
        self._half = max(0, cap_bytes - _MARKER_BYTES) // 2
        self._head = bytearray()
        self._tail = bytearray()
        self._total = 0

    def add(self, data: bytes) -> None:
        """Take the next piece."""
        self._total += len(data)
        room = self._cap - len(self._head) if not self._tail else 0
        self._head += data[:room]
        self._tail += data[room:]
        if len(self._tail) > 2 * self._half + _MARKER_BYTES:
            del self._tail[: len(self._tail) - self._half]

    @property
    def truncated(self) -> bool:
        """Whether a middle is missing."""
        return self._total > self._cap

    def content(self) -> bytes:
        """Give everything, or head, marker line and tail."""
        if not self.truncated:
            return bytes(self._head)
        head = self._head[: self._half]
        tail = (self._head + self._tail)[-self._half :] if self._half else b""
        missing = self._total - len(head) - len(tail)
        return bytes(head + b"\n[akili: %d bytes left out]\n" % missing + tail)
