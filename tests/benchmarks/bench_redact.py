"""How many MB of log text the redactor takes in a second of processor time, with and without registered values."""

from __future__ import annotations

import hashlib
import time

from akili_cli.adapters.telemetry.redact import Redactor
from tests.benchmarks.figures import median, show

LINES = 20_000


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


def main() -> None:
    text = log_text()
    for count in (0, 1, 20, 100):
        redactor = Redactor()
        for number in range(count):
            redactor.register(hashlib.sha256(f"secret {number}".encode()).hexdigest()[:20], f"s{number}")
        redactor.text("a first text builds the index of what is registered, once")
        rates = []
        for _ in range(5):
            began = time.process_time()
            redactor.text(text)
            rates.append(len(text) / 1e6 / (time.process_time() - began))
        show(f"redact log text, {count:>3} registered values", f"{median(rates):8.1f} MB/s")
    stream, began = Redactor().stream(), time.process_time()
    for at in range(0, 200_000, 5):
        stream.feed(text[at : at + 5])
    show("redact a stream of 5-character pieces", f"{0.2 / (time.process_time() - began):8.2f} MB/s")


if __name__ == "__main__":
    main()
