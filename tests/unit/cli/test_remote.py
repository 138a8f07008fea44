from __future__ import annotations

import pytest

from akili_cli.cli import options
from akili_cli.cli.main import COMMANDS
from akili_cli.cli.remote import HERE, check_here, chosen, only_here
from akili_cli.domain.errors import UnauthorizedError, UsageError
from tests.unit.cli.conftest import Say

URL = "http://127.0.0.1:9"


@pytest.mark.parametrize("url", [None, ""])
def test_without_an_address_the_work_is_done_here_whatever_key_there_is(url: str | None) -> None:
    assert chosen(url, "key") is None


@pytest.mark.parametrize("key", [None, ""])
def test_an_address_without_a_key_is_refused(key: str | None) -> None:
    with pytest.raises(UnauthorizedError, match="needs an API key") as raised:
        chosen(URL, key)
    assert raised.value.exit_code == 2


def test_a_key_that_goes_over_the_network_in_the_clear_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert chosen(URL, "key") is not None
    assert capsys.readouterr().err == ""
    assert chosen("http://akili.example.com", "key") is not None
    assert "in the clear" in capsys.readouterr().err


def test_what_is_done_here_only_is_refused_when_a_gateway_was_chosen() -> None:
    only_here(None, "akili undo ID")
    with pytest.raises(UsageError, match="this machine only"):
        only_here(chosen(URL, "key"), "akili undo ID")


@pytest.mark.parametrize("command", [*COMMANDS, None])
def test_while_a_gateway_is_chosen_nothing_works_on_this_machine_by_mistake(
    command: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AKILI_GATEWAY_URL", URL)
    options.keep(config=None, color="auto", command=command)
    try:
        if command in HERE:
            check_here()
        else:
            with pytest.raises(UsageError, match="nothing was done"):
                check_here()
    finally:
        options.keep(config=None, color="auto")


@pytest.mark.parametrize(
    "arguments",
    [
        ["grants", "list"],
        ["secrets", "list"],
        ["db", "tables"],
        ["cron", "rm", "nightly"],
        ["runbooks", "run", "host-health-check"],
        ["sandbox", "run", "--", "true"],
        ["audit", "verify"],
        ["policy", "lint"],
    ],
    ids=" ".join,
)
def test_a_command_without_a_remote_side_says_so(
    akili: Say, arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AKILI_GATEWAY_URL", URL)
    said = akili(*arguments)
    assert (said.code, said.out) == (64, "")
    assert "AKILI_GATEWAY_URL names a gateway; nothing was done" in said.err
    assert f"env -u AKILI_GATEWAY_URL akili {arguments[0]}" in said.err


def test_commands_about_this_machine_still_work(akili: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AKILI_GATEWAY_URL", URL)
    assert akili("config", "check").code == 0
