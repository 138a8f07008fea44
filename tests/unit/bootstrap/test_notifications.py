from __future__ import annotations

import os
from pathlib import Path

import pytest

from akili_cli.adapters.telemetry.redact import Redactor
from akili_cli.bootstrap.app import Start, open_app, open_state
from akili_cli.bootstrap.policy import permissions_finder
from akili_cli.core.schedule.base import Notice
from akili_cli.domain.calls import Principal
from akili_cli.domain.errors import PolicyDeniedError
from akili_cli.features.notifications.model import State
from tests.fakes import message_services as services
from tests.fakes.message_services import serving


def start_with(tmp_path: Path, config: str, **env: str) -> Start:
    path = tmp_path / "config.yaml"
    path.write_text(config)
    given = {"HOME": os.environ["HOME"], "AKILI_WORKSPACE": str(tmp_path / "workspace"), **env}
    return Start(env=given, cwd=tmp_path, config_path=str(path), redactor=Redactor())


async def test_a_configured_process_queues_and_delivers(tmp_path: Path) -> None:
    async with serving(services.WebhookService()) as server:
        config = (
            f"notification: {{enabled: true}}\ntools: {{web: {{allowed_private_hosts: ['127.0.0.1:{server.port}']}}}}"
        )
        async with open_state(start_with(tmp_path, config)) as state, open_app(state) as app:
            service = app.notifications.service
            me = Principal("cli-user")
            await service.add("hook", "webhook", {"url": f"http://127.0.0.1:{server.port}/hook"}, me)
            notice = Notice(key="k", channels=("hook",), subject="s", body="b", user="cli-user", source="cli")
            ids = await state.db.write(lambda c: service.queue(c, state.org, notice, state.clock.now()))
            await app.notifications.worker(app.pipeline).tick(state.clock.now())
            assert (await service.reader.delivery(ids[0])).state is State.SENT
    assert server.taken[0].json["body"] == "b"


@pytest.mark.parametrize(("enabled", "there"), [("true", True), ("false", False)])
async def test_the_tools_are_there_when_notifications_are_on(tmp_path: Path, enabled: str, there: bool) -> None:
    config = f"notification: {{enabled: {enabled}}}"
    async with open_state(start_with(tmp_path, config)) as state, open_app(state) as app:
        names = app.pipeline.tools.names()
        offered = [spec.name for spec in app.pipeline.tools.specs()]
    assert ("notification_deliver" in names) is there
    assert ("send_notification" in offered) is there
    assert "notification_deliver" not in offered


async def test_only_the_role_admin_changes_what_belongs_to_others(tmp_path: Path) -> None:
    config = """
security:
  roles:
    admin: {permissions: [send_notification], max_risk_level: critical}
    operator: {permissions: [send_notification], max_risk_level: medium}
    viewer: {permissions: [read_files], max_risk_level: low}
  user_roles: {ann: operator, ben: operator, adm: admin}
  default_role: viewer
"""
    async with open_state(start_with(tmp_path, config)) as state, open_app(state) as app:
        service = app.notifications.service
        await service.add("ops", "telegram", {"chat_id": "1"}, Principal("ann"))
        for who in ("ben", "vic"):
            with pytest.raises(PolicyDeniedError):
                await service.remove("ops", Principal(who))
        await service.remove("ops", Principal("adm"))
        assert permissions_finder(state.loaded)(Principal("vic")) == {"read_files"}


async def test_channels_may_not_use_the_keys_of_models(tmp_path: Path) -> None:
    async with open_state(start_with(tmp_path, "", OPENAI_API_KEY="sk-tests-only")) as state, open_app(state) as app:
        with pytest.raises(PolicyDeniedError):
            await app.notifications.service.add(
                "x", "slack", {"channel_id": "C1"}, Principal("cli-user"), credential_ref="env://OPENAI_API_KEY"
            )
