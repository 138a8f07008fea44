"""``akili alerts``: rules that watch a target and tell people when its state changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import typer

from akili_cli.cli import render
from akili_cli.cli.boundary import run as run_async
from akili_cli.cli.drafts import checked
from akili_cli.cli.remote import KEY, URL, chosen, found, read_from
from akili_cli.domain.errors import UsageError

if TYPE_CHECKING:
    from akili_cli.adapters.net.gateway import Gateway
    from akili_cli.features.alerts.checking import Looked
    from akili_cli.features.alerts.model import AlertRule

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Watch targets and tell people when something changes.",
)
JSON = typer.Option(False, "--json", help="Print JSON.")
RULE = typer.Argument(metavar="RULE", help="Its name, or its id (4 characters are enough).")
TYPE = "http_status, tcp, tls_expiry, command or heartbeat_missing."
SET = "A setting of the check, such as expected_status=204; repeatable."
COOLDOWN = "At least so many seconds between two messages."
N_OF = "Bad after so many bad of the last checks, as `2 of 3`."
WIDTH = 60
MAX_MUTE_S = 366 * 86400.0
PATH = "/v1/alerts"


@app.command(help='Make a rule: akili alerts add web http_status https://example.com "*/5 * * * *" --notify ops')
def add(
    name: str = typer.Argument(help="A name of your choice."),
    check_type: str = typer.Argument(metavar="TYPE", help=TYPE),
    target: str = typer.Argument(help="A URL, host:port, command or cron:<job>, as the type wants it."),
    expression: str = typer.Argument(
        metavar="EXPRESSION", help="Five cron fields in quotes; CRON_TZ=Europe/Berlin in front for a time zone."
    ),
    notify: list[str] = typer.Option(..., "--notify", metavar="CHANNEL", help="Tell this channel; repeatable."),
    settings: list[str] = typer.Option([], "--set", metavar="KEY=VALUE", help=SET),
    cooldown: int | None = typer.Option(None, "--cooldown", metavar="SECONDS", help=COOLDOWN),
    n_of: str = typer.Option("1 of 1", "--n-of", metavar="N_OF_M", help=N_OF),
    description: str = typer.Option("", "--description", help="For people."),
    disabled: bool = typer.Option(False, "--disabled", help="Make it, but do not check yet."),
    as_json: bool = JSON,
) -> None:
    """Add a rule."""
    draft = {
        "name": name,
        "check_type": check_type,
        "target": target,
        "cron_expression": expression,
        "channels": tuple(notify),
        "check_config": _settings(settings),
        "cooldown_seconds": cooldown,
        "n_of": n_of,
        "description": description,
        "enabled": not disabled,
    }
    run_async(_add(draft, as_json))


@app.command("list", help="List the rules with their state and next check.")
def list_(as_json: bool = JSON, gateway_url: str | None = URL, api_key: str | None = KEY) -> None:
    """List rules."""
    run_async(_list(as_json, chosen(gateway_url, api_key)))


@app.command(help="Show one rule.")
def show(rule: str = RULE, as_json: bool = JSON, gateway_url: str | None = URL, api_key: str | None = KEY) -> None:
    """Show a rule."""
    run_async(_show(rule, as_json, chosen(gateway_url, api_key)))


@app.command(help="Change a rule; what is not named stays. Its checks keep running as whoever made it.")
def edit(
    rule: str = RULE,
    name: str | None = typer.Option(None, "--name"),
    check_type: str | None = typer.Option(None, "--type", metavar="TYPE", help=TYPE),
    target: str | None = typer.Option(None, "--target"),
    expression: str | None = typer.Option(None, "--expression", metavar="EXPRESSION"),
    notify: list[str] = typer.Option([], "--notify", metavar="CHANNEL", help="In the place of the channels it has."),
    settings: list[str] = typer.Option([], "--set", metavar="KEY=VALUE", help="In the place of all its settings."),
    cooldown: int | None = typer.Option(None, "--cooldown", metavar="SECONDS", help=COOLDOWN),
    n_of: str | None = typer.Option(None, "--n-of", metavar="N_OF_M", help=N_OF),
    description: str | None = typer.Option(None, "--description"),
    as_json: bool = JSON,
) -> None:
    """Edit a rule."""
    given = {
        "name": name,
        "check_type": check_type,
        "target": target,
        "cron_expression": expression,
        "channels": tuple(notify) or None,
        "check_config": _settings(settings) or None,
        "cooldown_seconds": cooldown,
        "n_of": n_of,
        "description": description,
    }
    changes = {key: value for key, value in given.items() if value is not None}
    if not changes:
        raise UsageError("nothing is to be changed", hint="see: akili alerts edit --help")
    run_async(_edit(rule, changes, "changed", as_json))


@app.command(help="Do not check until it is enabled.")
def disable(rule: str = RULE, as_json: bool = JSON) -> None:
    """Switch a rule off."""
    run_async(_edit(rule, {"enabled": False}, "disabled", as_json))


@app.command(help="Check again from its next time on.")
def enable(rule: str = RULE, as_json: bool = JSON) -> None:
    """Switch a rule on."""
    run_async(_edit(rule, {"enabled": True}, "enabled", as_json))


@app.command(help="Say nothing for a while; it goes on checking, and what is still true then is said at the end.")
def mute(
    rule: str = RULE,
    duration: str = typer.Option("1h", "--for", metavar="DURATION", help="Such as 30m or 72h."),
    off: bool = typer.Option(False, "--off", help="Let it speak again."),
    as_json: bool = JSON,
) -> None:
    """Mute a rule."""
    run_async(_mute(rule, None if off else _seconds(duration), as_json))


@app.command(help="Forget a rule; its history stays.")
def rm(rule: str = RULE, as_json: bool = JSON) -> None:
    """Remove a rule."""
    run_async(_remove(rule, as_json))


@app.command(
    help="Check now, here, as yourself (not as whoever made it), and change nothing. 0 is ok, 1 alert or error, "
    "2 refused."
)
def test(rule: str = RULE, as_json: bool = JSON) -> None:
    """Try a rule's check."""
    raise typer.Exit(run_async(_test(rule, as_json)))


@app.command(help="Show the checks of one rule, or of all, newest first.")
def history(
    rule: str | None = typer.Argument(None, metavar="[RULE]"),
    limit: int = typer.Option(50, "--limit", min=1, max=1000, help="At most so many."),
    as_json: bool = JSON,
    gateway_url: str | None = URL,
    api_key: str | None = KEY,
) -> None:
    """Show checks."""
    run_async(_history(rule, limit, as_json, chosen(gateway_url, api_key)))


async def _add(given: Mapping[str, object], as_json: bool) -> None:
    from akili_cli.cli.opening import opened_app, principal
    from akili_cli.features.alerts.model import RuleDraft

    draft = checked(RuleDraft, given)
    async with opened_app() as app_:
        rule = await app_.alerts.add(draft, principal())
        runs = app_.state.loaded.settings.alerting.enabled
    _said(rule, "added", as_json)
    if not runs:
        render.talk("nothing checks it while alerting.enabled is false; `akili alerts test` still does", "yellow")


async def _list(as_json: bool, gateway: Gateway | None) -> None:
    from akili_cli.domain.clock import SystemClock, iso

    rules = await _rules() if gateway is None else await gateway.rows(PATH)
    if as_json:
        render.out_json(rules)
    elif rules:
        now = iso(SystemClock().now())
        with read_from(gateway):
            render.out_table(("NAME", "STATUS", "TYPE", "TARGET", "NEXT", "OWNER"), [_row(rule, now) for rule in rules])
    else:
        render.talk("there is no alert rule; see: akili alerts add --help")


async def _rules() -> list[dict[str, Any]]:
    from akili_cli.cli.opening import opened_state
    from akili_cli.features.alerts.service import AlertReader

    async with opened_state() as state:
        return [rule.as_dict() for rule in await AlertReader(state.db, state.org).rules()]


async def _show(typed: str, as_json: bool, gateway: Gateway | None) -> None:
    rule = await _rule(typed) if gateway is None else await found(gateway, PATH, typed, "alert rule")
    if as_json:
        render.out_json(rule)
    else:
        render.out_fields(rule)


async def _rule(typed: str) -> Mapping[str, Any]:
    from akili_cli.cli.opening import opened_state
    from akili_cli.features.alerts.service import AlertReader

    async with opened_state() as state:
        return (await AlertReader(state.db, state.org).rule(typed)).as_dict()


async def _edit(typed: str, given: Mapping[str, object], verb: str, as_json: bool) -> None:
    from akili_cli.cli.opening import opened_app, principal
    from akili_cli.features.alerts.model import RuleChanges

    changes = checked(RuleChanges, given)
    async with opened_app() as app_:
        rule = await app_.alerts.edit(typed, changes, principal())
    _said(rule, verb, as_json)


async def _mute(typed: str, seconds: float | None, as_json: bool) -> None:
    from akili_cli.cli.opening import opened_app, principal

    async with opened_app() as app_:
        until = None if seconds is None else app_.state.clock.now() + seconds
        rule = await app_.alerts.mute(typed, until, principal())
    _said(rule, "muted" if until else "unmuted", as_json)


async def _remove(typed: str, as_json: bool) -> None:
    from akili_cli.cli.opening import opened_app, principal

    async with opened_app() as app_:
        rule = await app_.alerts.remove(typed, principal())
    _said(rule, "removed", as_json)


async def _test(typed: str, as_json: bool) -> int:
    from akili_cli.bootstrap.alerts import open_checker
    from akili_cli.cli.opening import opened_app, principal
    from akili_cli.domain.calls import Source
    from akili_cli.features.alerts.model import Standing

    async with opened_app() as app_:
        rule = await app_.alerts.to_test(typed, principal())
        looked = await open_checker(app_).check(rule.check, principal(Source.ALERT), since=rule.created_at)
    result = looked.result
    if as_json:
        render.out_json({"rule": rule.name, "status": str(result.status), "message": result.message})
    else:
        render.out(f"{result.status}: {result.message}")
    if result.status is Standing.OK:
        return 0
    return 2 if _refused(looked) else 1


async def _history(typed: str | None, limit: int, as_json: bool, gateway: Gateway | None) -> None:
    checks = await _checks(typed, limit) if gateway is None else await _checks_there(gateway, typed, limit)
    if as_json:
        render.out_json(checks)
    elif checks:
        with read_from(gateway):
            render.out_table(("AT", "RULE", "FOUND", "STATUS", "TOLD", "WHAT"), [_line(one) for one in checks])
    else:
        render.talk("nothing was checked yet")


async def _checks(typed: str | None, limit: int) -> list[dict[str, Any]]:
    from akili_cli.cli.opening import opened_state
    from akili_cli.features.alerts.service import AlertReader

    async with opened_state() as state:
        seen = await AlertReader(state.db, state.org).history(typed, limit)
    return [{"rule": name, **entry.as_dict()} for name, entry in seen]


async def _checks_there(gateway: Gateway, typed: str | None, limit: int) -> list[dict[str, Any]]:
    """Give the checks of one rule, channels by name where the rule still has them; a gateway has no list of all."""
    if typed is None:
        raise UsageError("name a rule: a gateway tells the checks of one at a time", hint="see: akili alerts list")
    rule = await found(gateway, PATH, typed, "alert rule")
    with read_from(gateway):
        ids, names = rule["channel_ids"], rule["channels"]
        known = dict(zip(ids, names, strict=True)) if len(ids) == len(names) else {}
        checks = await gateway.rows(f"{PATH}/{rule['id']}/history", limit=limit)
        told = [{"rule": rule["name"], **one} for one in checks]
        return [{**one, "notified_via": [known.get(via, via) for via in one["notified_via"]]} for one in told]


def _refused(looked: Looked) -> bool:
    return looked.status is not None and looked.status.is_refusal


def _seconds(text: str) -> float:
    from akili_cli.domain.durations import parse_duration

    try:
        seconds = parse_duration(text)
    except ValueError as error:
        raise UsageError(str(error)) from error
    if seconds > MAX_MUTE_S:
        raise UsageError("a rule can be muted for a year at most", hint="see: akili alerts disable --help")
    return seconds


def _settings(given: list[str]) -> dict[str, str]:
    out: dict[str, str] = {}
    for one in given:
        key, mark, value = one.partition("=")
        if not mark or not key:
            raise UsageError(f"{one[:60]!r} is not KEY=VALUE")
        out[key] = value
    return out


def _row(rule: Mapping[str, Any], now: str) -> tuple[str, ...]:
    """Give a line of the list; ``now`` and all times are ISO texts of one form, which sort as they follow."""
    status = "flapping" if rule["flapping"] else rule["last_status"]
    muted = ", muted" if rule.get("muted_until", "") > now else ""
    shown = "not checked yet" if rule.get("last_checked_at") is None else status
    coming = rule["next_run_at"][:16] if rule["enabled"] else "disabled"
    target = render.fitting(rule["target"], WIDTH)
    return (rule["name"], shown + muted, rule["check_type"], target, coming, rule["user_id"])


def _line(entry: Mapping[str, Any]) -> tuple[str, ...]:
    told = f"{entry['announced']} to {', '.join(entry['notified_via'])}" if entry["announced"] else "-"
    what = render.fitting(entry["message"], WIDTH)
    return (entry["created_at"][:19], entry["rule"], entry["found"], entry["status"], told, what)


def _said(rule: AlertRule, verb: str, as_json: bool) -> None:
    from akili_cli.domain.clock import iso

    if as_json:
        render.out_json(rule.as_dict())
        return
    until = f" until {iso(rule.muted_until)}" if verb == "muted" and rule.muted_until is not None else ""
    coming = f", checks next at {iso(rule.next_run_at)}" if rule.enabled and verb in ("added", "enabled") else ""
    render.talk(f"{verb} {rule.name} ({rule.id[:8]}){until}{coming}")
