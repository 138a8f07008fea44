"""How many MB of log text the redactor takes in a second of processor time, with and without registered values."""

from __future__ import annotations

import hashlib
import time

from akili_cli.adapters.telemetry.redact import Redactor
from tests.benchmarks.figures import median, show
from tests.security.hostile import HOSTILE

LINES = 20_000
LINEAR = 3.0


def log_text() -> str:
    return "\n".join(_line(number) for number in range(LINES))


def _line(n: int) -> str:
    at = f"2026-02-17T12:{n // 60 % 60:02d}:{n % 60:02d}.123Z"
    sha = hashlib.sha256(str(n).encode()).hexdigest()
    kinds = (
        f'INFO nginx: 10.0.{n % 255}.7 - - "GET /api/v1/orders/{n} HTTP/1.1" 200 {n * 7 % 9999} "-" "curl/8.5.0"',
        f"WARN kernel: [{n}.123] eth0: link is not ready, retry={n % 5} backoff=1.5s",
        f"INFO app[{n}]: login ok user=ann{n % 50} method=password_check duration_ms={n % 100}",
        f"DEBUG cache: key=orders:{n} hit=true ttl=300 size={n % 4096}",
        f"INFO sshd[{n}]: Accepted publickey for ann from 10.1.2.{n % 255} port {20000 + n}: RSA SHA256:{sha[:43]}",
        f"INFO git: commit {sha[:40]} merged to main by ben",
        f"ERROR app: ValueError: invalid literal for int() at /srv/app/lib/orders.py:{n % 400}",
        f"INFO systemd[1]: Started Session {n} of user root.",
        f"INFO postgres[{n}]: LOG: checkpoint complete: wrote {n} buffers (0.{n % 9}%)",
        f"INFO request id={sha[:32]} status=200 tokens_used={n} path=/health auth=none",
    )
    return f"{at} {kinds[n % len(kinds)]}"


def _spent(redactor: Redactor, text: str, times: int = 1) -> float:
    began = time.process_time()
    for _ in range(times):
        redactor.text(text)
    return time.process_time() - began


def _doubled(redactor: Redactor, unit: str) -> tuple[float, float]:
    once, twice = (min(_spent(redactor, unit * (size // len(unit))) for _ in range(2)) for size in (1 << 19, 1 << 20))
    return max(once, 1e-4), twice


def _hostile() -> None:
    """Double each hostile text: what takes more than three times as long does not grow in step with it."""
    found = []
    for unit in HOSTILE:
        redactor = Redactor()
        for secret in ("aaaaaaab", "correct horse battery", "password=password"):
            redactor.register(secret, "it")
        once, twice = _doubled(redactor, unit)
        for _ in range(4):  # a machine that is busy with other things spoils single figures
            if twice < LINEAR * once:
                break
            again = _doubled(redactor, unit)
            once, twice = min(once, again[0]), min(twice, again[1])
        found.append((twice / once, twice, unit))
    ratio, _, unit = max(found)
    show(f"{len(found)} hostile texts, 1 MiB against half: worst ratio", f"{ratio:8.2f}   {unit!r}")
    _, slowest, unit = max(found, key=lambda one: one[1])
    show("slowest of them, 1 MiB", f"{slowest:8.2f} s {unit!r}")
    assert ratio < LINEAR, (ratio, unit)


def main() -> None:
    text = log_text()
    for count in (0, 1, 10, 100, 1000):
        redactor = Redactor()
        for number in range(count):
            redactor.register(hashlib.sha256(f"secret {number}".encode()).hexdigest()[:20], f"s{number}")
        began = time.process_time()
        redactor.text("a first text builds the index of what is registered, once")
        built = time.process_time() - began
        rate = median([len(text) / 1e6 / _spent(redactor, text) for _ in range(5)])
        short = median([_spent(redactor, text[:200], 1000) * 1000 for _ in range(5)])
        figure = f"{rate:8.1f} MB/s   {short:6.1f} us for 200 characters   index in {built * 1000:6.1f} ms"
        show(f"redact log text, {count:>4} registered values", figure)
    _hostile()
    stream, began = Redactor().stream(), time.process_time()
    for at in range(0, 200_000, 5):
        stream.feed(text[at : at + 5])
    show("redact a stream of 5-character pieces", f"{0.2 / (time.process_time() - began):8.2f} MB/s")


if __name__ == "__main__":
    main()
