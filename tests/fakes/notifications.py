"""The notifications room over real parts: database, audit, policy, pipeline, doors; only the clock is a test's own."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from akili_cli.adapters.net.outgoing import Wire
from akili_cli.adapters.secrets.chain import SecretChain
from akili_cli.adapters.secrets.settings import SecretsSettings
from akili_cli.adapters.storage.base import Database
from akili_cli.core.policy.compile import RoleSpec
from akili_cli.core.policy.model import Rule
from akili_cli.core.schedule.base import Notice
from akili_cli.core.tools.toolbox import ToolBox
from akili_cli.domain.calls import Principal, Source
from akili_cli.domain.risk import Risk
from akili_cli.features.notifications.channels.base import Surroundings
from akili_cli.features.notifications.courier import Courier
from akili_cli.features.notifications.model import Delivery, State
from akili_cli.features.notifications.service import NotificationService
from akili_cli.features.notifications.settings import NotificationSettings
from akili_cli.features.notifications.tools import NotificationDeliver, SendNotification
from akili_cli.features.notifications.worker import OutboxWorker
from tests.fakes.wiring import Bench, open_bench, rules_of

SPEAKER = RoleSpec("operator", ("send_notification",), Risk.MEDIUM)
SILENT = RoleSpec("viewer", ("look",), Risk.LOW)
ANN, BEN = Principal("ann"), Principal("ben")
FINAL = (State.SENT, State.FAILED, State.INTERRUPTED)


@dataclass
class Room:
    bench: Bench
    service: NotificationService
    courier: Courier
    worker: OutboxWorker
    waits: list[float] = field(default_factory=list)

    async def queue(self, *channels: str, key: str = "k1", **more: Any) -> list[Delivery]:
        return await self.service.submit(notice(*channels, key=key, **more))

    async def one(self, delivery: Delivery) -> Delivery:
        return await self.service.reader.delivery(delivery.id)

    async def tick(self) -> None:
        await self.worker.tick(self.bench.clock.now())

    async def settle(self, delivery: Delivery) -> Delivery:
        """Tick until a delivery has ended, moving the clock to when it is due; ``waits`` says how far."""
        for _ in range(100):
            await self.tick()
            now = await self.one(delivery)
            if now.state in FINAL:
                return now
            wait = now.due_at - self.bench.clock.now()
            if wait > 0:
                self.waits.append(round(wait, 3))
            self.bench.clock.move(wait if wait > 0 else 1.0)
        raise AssertionError(f"not settled: {now}")

    async def everything(self) -> str:
        """Give all that is written down anywhere: each row of each table, and the audit's files."""
        from akili_cli.adapters.storage.schema import table_names

        def dump(connection: Any) -> str:
            rows = []
            for name in table_names():
                if name in ("runbook_index",):
                    continue
                rows += connection.execute(f"SELECT * FROM {name}")
            return json.dumps(rows, default=str)

        out = await self.bench.db.read(dump)
        return out + "".join(path.read_text() for path in self._files() if path.is_file())

    def _files(self) -> list[Path]:
        return sorted(self.directory.rglob("*.jsonl"))

    directory: Path = Path("/nonexistent")


def notice(*channels: str, key: str = "k1", **more: Any) -> Notice:
    values: dict[str, Any] = {
        "subject": "disk full",
        "body": "web1: /var is 97% full",
        "user": "ann",
        "source": str(Source.ALERT),
        "metadata": {"type": "test"},
    }
    return Notice(key=key, channels=channels, **{**values, **more})


@asynccontextmanager
async def open_room(
    directory: Path,
    *rules: Rule,
    db: Database | None = None,
    settings: Mapping[str, object] = {},
    env: Mapping[str, str] = {},
    private: tuple[str, ...] = (),
    wire: Wire = Wire(),
    domains: tuple[str, ...] = (),
    roles: tuple[RoleSpec, ...] = (SPEAKER, SILENT),
) -> AsyncIterator[Room]:
    async with open_bench(directory, (), db=db) as bench:
        checked = NotificationSettings.model_validate({"enabled": True, **settings})
        secrets = SecretChain(
            SecretsSettings.model_validate({"providers": [{"type": "env", "prefix": "CHANNEL_"}, {"type": "file"}]}),
            env=env,
            directory=directory / "secrets",
            register=bench.redactor.register,
            reserved=frozenset({"env://OPENAI_API_KEY"}),
        )
        parts: dict[str, Any] = {
            "db": bench.db,
            "org": "default",
            "secrets": secrets,
            "redactor": bench.redactor,
            "clock": bench.clock,
        }
        names = {spec.name: spec.permissions for spec in roles}
        people = {"ann": "operator", "ben": "operator", "vic": "viewer", "adm": "admin"}
        service = NotificationService(
            **parts,
            settings=checked,
            audit=bench.audit,
            permissions_of=lambda who: frozenset(
                names.get(people.get(who.user, ""), ()) if who.user != "adm" else ("send_notification",)
            ),
            is_admin=lambda who: people.get(who.user) == "admin",
        )
        courier = Courier(**parts, around=Surroundings(checked, private, domains), wire=wire)
        pipeline = replace(
            bench.pipeline,
            tools=ToolBox((SendNotification(service),), unoffered=(NotificationDeliver(courier),)),
            rules=rules_of(*rules, roles=roles),
        )
        bench.pipeline = pipeline
        worker = OutboxWorker(courier=courier, pipeline=pipeline, approval_s=600.0)
        yield Room(bench, service, courier, worker, directory=directory)
