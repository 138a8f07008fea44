from __future__ import annotations

import pytest

from akili_cli.domain.errors import ConfigError
from akili_cli.features.notifications.channels.apprise import AppriseChannel
from tests.unit.features.notifications.channels.accounts import account, around, message


def test_the_host_is_told_from_the_secret_url() -> None:
    kind = AppriseChannel()
    assert kind.endpoint(account("jsons://u:pw@h.example.test:8443/x"), around()) == "h.example.test:8443"
    request = kind.request(account("jsons://u:pw@h.example.test/x"), around(), message(), ("97%",), 0)
    assert (request.title, request.body) == ("disk full", "97%")
    assert "pw" not in repr(request)


def test_a_url_that_hides_its_host_is_refused() -> None:
    with pytest.raises(ConfigError, match="cannot be told"):
        AppriseChannel().endpoint(account("mailto://user:pw@example.test"), around())
