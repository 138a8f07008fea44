"""A registered value put in at every entrance of a run comes out at no exit: not to the model, nor on the disk."""

from __future__ import annotations

import base64
import json
import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from akili_cli.adapters.telemetry.logs import configure_logging
from akili_cli.cli import boundary
from akili_cli.cli.egress import redactor as process_redactor
from akili_cli.core.agent.history import History
from akili_cli.core.agent.loop import AgentLoop
from akili_cli.core.agent.settings import AgentSettings, MemorySettings
from akili_cli.core.approvals.model import AnswerKind
from akili_cli.core.approvals.request import as_card
from akili_cli.core.policy.model import Match, Rule
from akili_cli.domain.calls import Principal, Source, Status, ToolOutput
from akili_cli.domain.decisions import BUILT_IN, Permit, Verdict
from akili_cli.domain.errors import ConfigError, ConflictError, ModelError
from akili_cli.domain.events import Event
from akili_cli.domain.messages import TextBlock
from tests.fakes.models import ScriptedModel, use
from tests.fakes.tools import Change, Look, PathArgs
from tests.fakes.wiring import Bench, ScriptedAsker, call_of, open_bench, run_by

SECRET = 'Zx9"Kq/7?vT-m2&Lw'
ASK = Rule("ask-change", BUILT_IN, Verdict.ASK, Match(tools=("change",)), "ask first")


def forms(secret: str = SECRET) -> Iterator[str]:
    """Give the forms no exit may show, as they would be searched for in lower case."""
    raw = secret.encode()
    plain = [secret, raw.hex(), quote(secret, safe=""), json.dumps(secret)[1:-1], json.dumps(json.dumps(secret))[3:-3]]
    for lead in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            text = encode(b"x" * lead + raw).decode()
            plain.append(text[4 if lead else 0 : len(text) // 4 * 4 - 4])
    yield from (form.lower() for form in plain)


def assert_clean(text: str) -> None:
    low = text.lower()
    assert not [form for form in forms() if form in low]


def assert_disk_clean(directory: Path) -> None:
    """Read every byte below a directory: database, its log, audit files."""
    files = [path for path in directory.rglob("*") if path.is_file()]
    assert files
    for path in files:
        assert_clean(path.read_bytes().decode("latin-1"))


def written(secret: str = SECRET) -> str:
    raw = secret.encode()
    parts = [secret, raw.hex().upper(), quote(secret, safe=""), json.dumps({"password": secret}), secret.swapcase()]
    parts += [base64.b64encode(b"x" * lead + raw).decode() for lead in range(3)]
    return " and ".join(parts)


async def leak(_args: PathArgs, _permit: Permit) -> ToolOutput:
    return ToolOutput(f"the file holds {written()}", metadata={"note": written()})


def loop_on(bench: Bench, model: ScriptedModel) -> AgentLoop:
    return AgentLoop(
        model=model,
        pipeline=bench.pipeline,
        history=History(bench.db, "default", bench.clock, MemorySettings.model_validate({})),
        knowledge=Secretive(),
        settings=AgentSettings.model_validate({}),
        context_tokens=100_000,
        max_tokens=1000,
        timeout_s=5.0,
    )


class Secretive:
    """Knows a procedure with a secret in it."""

    async def relevant(self, _message: str, _run: object) -> tuple[str, ...]:
        return (f"log in with {written()}",)


async def test_a_secret_leaves_neither_to_the_model_nor_to_watchers_nor_to_the_disk(tmp_path: Path) -> None:
    model = ScriptedModel(
        (f"I use {SECRET}", use("look", f"/srv/{SECRET}")),
        (f"then {written()}", use("change", f"/srv/{SECRET}", id="call-2")),
    )
    async with open_bench(tmp_path, (Look(leak), Change()), ASK) as bench:
        bench.redactor.register(SECRET, "env://DB")
        events: list[Event] = []
        report = await loop_on(bench, model).run(
            f"the password is {SECRET}",
            run_by(),
            attachments=(TextBlock(written(), untrusted=f"file /{SECRET}"),),
            emit=events.append,
        )
        assert report.status is Status.APPROVAL_REQUIRED
        assert len(model.requests) == 2
        for request in model.requests:
            assert_clean(repr(request))
            assert_clean(json.dumps(request.system))
        assert "[redacted:env-//db]" in repr(model.requests[1])
        for event in events:
            assert_clean(json.dumps({"event": event.name, **event.data}))
        assert_clean(json.dumps(report.as_dict()))
        (held,) = await bench.pipeline.approvals.list()
        assert_clean(json.dumps(as_card(held)))
        assert_clean(repr(await bench.records()))
    assert_disk_clean(tmp_path)


async def test_a_model_that_fails_with_the_secret_in_its_words_leaks_nothing(tmp_path: Path) -> None:
    async with open_bench(tmp_path, (Look(),)) as bench:
        bench.redactor.register(SECRET, "key")
        report = await loop_on(bench, ScriptedModel(ModelError(f"HTTP 400: {written()}"))).run("x", run_by())
        assert report.status is Status.FAILED
        assert_clean(json.dumps(report.as_dict()))
    assert_disk_clean(tmp_path)


async def test_a_value_registered_later_is_taken_out_of_earlier_messages_too(tmp_path: Path) -> None:
    async with open_bench(tmp_path, (Look(),)) as bench:
        model = ScriptedModel("noted", "again")
        loop = loop_on(bench, model)
        first = await loop.run(f"remember {SECRET}", run_by())
        bench.redactor.register(SECRET, "late")
        await loop.run("and now?", run_by(conversation_id=first.conversation_id))
        assert SECRET in repr(model.requests[0])
        assert_clean(repr(model.requests[1]))


async def test_an_approved_call_runs_with_the_exact_value_and_shows_none(tmp_path: Path) -> None:
    change = Change()
    async with open_bench(tmp_path, (change,), ASK) as bench:
        bench.redactor.register(SECRET, "env://DB")
        held = await bench.pipeline.run(call_of("change", f"/srv/{SECRET}"), run_by(), reason=written())
        assert held.status is Status.APPROVAL_REQUIRED
        assert held.approval_id is not None
        _, step = await bench.pipeline.resume(held.approval_id, Principal("ann", Source.CLI))
        assert step.status is Status.OK
        assert change.permits[0].effects.writes == (f"/srv/{SECRET}",)
        assert_clean(repr(step.call) + step.text)
    assert_disk_clean(tmp_path)


async def test_the_card_at_the_terminal_shows_the_marker_and_the_call_runs_whole(tmp_path: Path) -> None:
    change, asker = Change(), ScriptedAsker(AnswerKind.ONCE)
    async with open_bench(tmp_path, (change,), ASK, asker=asker) as bench:
        bench.redactor.register(SECRET, "env://DB")
        step = await bench.pipeline.run(call_of("change", f"/srv/{SECRET}"), run_by())
        assert step.status is Status.OK
        assert_clean(repr(asker.cards[0]))
        assert asker.cards[0].arguments == {"path": "/srv/[redacted:env-//db]"}
        assert change.permits[0].effects.writes == (f"/srv/{SECRET}",)
    assert_disk_clean(tmp_path)


async def test_a_marker_that_the_model_wrote_itself_never_becomes_the_secret(tmp_path: Path) -> None:
    change = Change()
    async with open_bench(tmp_path, (change,), ASK) as bench:
        bench.redactor.register(SECRET, "env://DB")
        held = await bench.pipeline.run(call_of("change", "/srv/[redacted:env-//db]"), run_by())
        assert held.approval_id is not None
        _, step = await bench.pipeline.resume(held.approval_id, Principal("ann", Source.CLI))
        assert step.status is Status.OK
        assert change.permits[0].effects.writes == ("/srv/[redacted:env-//db]",)


async def test_a_sealed_call_whose_secret_is_gone_does_not_run(tmp_path: Path) -> None:
    change = Change()
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    async with open_bench(tmp_path / "one", (change,), ASK) as bench:
        bench.redactor.register(SECRET, "env://DB")
        held = await bench.pipeline.run(call_of("change", f"/srv/{SECRET}"), run_by())
        assert held.approval_id is not None
        async with open_bench(tmp_path / "two", (change,), ASK, db=bench.db) as later:
            _, step = await later.pipeline.resume(held.approval_id, Principal("ann", Source.CLI))
            assert step.status is Status.DENIED
        with pytest.raises(ConflictError):
            await bench.pipeline.resume(held.approval_id, Principal("ann", Source.CLI))
    assert change.ran == 0


async def test_an_encoded_secret_is_not_held_at_all(tmp_path: Path) -> None:
    async with open_bench(tmp_path, (Change(),), ASK) as bench:
        bench.redactor.register(SECRET, "env://DB")
        path = f"/srv/{base64.b64encode(SECRET.encode()).decode()}"
        step = await bench.pipeline.run(call_of("change", path), run_by())
        assert (step.status, await bench.pipeline.approvals.list()) == (Status.DENIED, [])
    assert_disk_clean(tmp_path)


async def test_feedback_of_a_denial_is_clean(tmp_path: Path) -> None:
    async with open_bench(tmp_path, (Change(),), ASK) as bench:
        bench.redactor.register(SECRET, "env://DB")
        held = await bench.pipeline.run(call_of("change"), run_by())
        assert held.approval_id is not None
        denied = await bench.pipeline.refuse(held.approval_id, Principal("ann", Source.CLI), f"use {SECRET}")
        assert_clean(denied.feedback or "")
    assert_disk_clean(tmp_path)


def raise_with(words: str) -> None:
    raise ValueError(words)


@pytest.mark.parametrize("as_json", [False, True], ids=["text", "json"])
def test_logs_show_no_form(as_json: bool, capsys: pytest.CaptureFixture[str]) -> None:
    from akili_cli.adapters.telemetry.redact import Redactor

    redactor = Redactor()
    redactor.register(SECRET, "key")
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    try:
        configure_logging("info", as_json, redactor)
        try:
            raise_with(written())
        except ValueError:
            logging.getLogger("x").exception("failed with %s", written(), extra={"note": written()})
    finally:
        root.handlers[:] = before
        root.setLevel(level)
    assert_clean(capsys.readouterr().err)


def test_a_fatal_error_and_a_crash_report_are_clean(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("SOME_DB_PASSWORD", SECRET)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    boundary.fatal(ConfigError(f"no: {written()}", hint=written()))
    assert boundary._exit_code(KeyError(written())) == boundary.BUG
    said = capsys.readouterr().err
    assert_clean(said)
    (name,) = re.findall(r"/\S*akili-crash-\w+\.log", said)
    report = Path(name).read_text()
    assert_clean(report)
    assert "KeyError" in report
    assert process_redactor.holds_registered(SECRET)
    assert os.environ["SOME_DB_PASSWORD"] == SECRET
