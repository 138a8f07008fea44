from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from akili_cli.bootstrap.webhooks import check_role
from akili_cli.domain.errors import ConfigError
from akili_cli.features.webhooks.settings import WebhookSettings
from tests.fakes.http_app import open_gateway
from tests.unit.features.webhooks.test_settings import GOOD
from tests.unit.features.webhooks.test_signatures import SECRET


async def opened(tmp_path: Path, secret: str = SECRET, **hook: Any) -> list[str]:
    told = {"gateways.http.webhooks": [{**GOOD, "user": "vic", **hook}]}
    async with open_gateway(tmp_path, told, HOOK_SECRET=secret) as gateway:
        assert gateway.app.state.redactor.text(f"it is {secret}") != f"it is {secret}"
        return list(gateway.desk.webhooks.hooks)


async def test_a_webhook_opens_with_its_secret_hidden(tmp_path: Path) -> None:
    assert await opened(tmp_path, role="viewer") == ["prod-alerts"]


@pytest.mark.parametrize(
    ("hook", "why"),
    [
        ({"user": "root"}, "has the role admin"),
        ({"role": "operator"}, "has the role 'viewer', and the webhook wants 'operator'"),
        ({"secret": "env://NOT_THERE"}, "its secret"),
    ],
    ids=["admin", "another role", "no secret"],
)
async def test_what_would_be_dangerous_is_not_opened(tmp_path: Path, hook: dict[str, object], why: str) -> None:
    with pytest.raises(ConfigError, match=why) as caught:
        await opened(tmp_path, **hook)
    assert "gateways.http.webhooks: prod-alerts" in str(caught.value)


@pytest.mark.parametrize("secret", ["short", "changeme-changeme-changeme"])
async def test_a_secret_that_anybody_could_guess_is_refused(tmp_path: Path, secret: str) -> None:
    with pytest.raises(ConfigError, match="its secret") as caught:
        await opened(tmp_path, secret)
    assert secret not in str(caught.value).replace("shorter", "")


def test_a_user_without_a_role_is_refused() -> None:
    with pytest.raises(ConfigError, match="has no role"):
        check_role(WebhookSettings.model_validate(GOOD), None)
