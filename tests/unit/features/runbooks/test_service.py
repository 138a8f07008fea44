from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from akili_cli.adapters.storage.backends.sqlite import SqliteDatabase, open_sqlite
from akili_cli.domain.errors import ConfigError, NotFoundError, UsageError
from akili_cli.domain.messages import Message, TextBlock, ToolUseBlock
from akili_cli.features.runbooks.play import Player
from akili_cli.features.runbooks.service import RunbookService, Standing
from tests.unit.features.runbooks.samples import runbook_text

STEP = "id: a\ntool: shell_exec\nwith: {command: ls}"


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[SqliteDatabase]:
    db = await open_sqlite(tmp_path / "akili.db")
    yield db
    await db.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "books"
    folder.mkdir()
    disk = runbook_text(STEP, extra="keywords: [disk]\n").replace("name: Sample", "name: Disk Check")
    (folder / "disk-check.md").write_text(disk)
    extra = "keywords: [restart]\ninputs: {unit: {required: true, help: a systemd unit}}\n"
    restart = runbook_text("id: r\ntool: shell_exec\nwith: {command: 'systemctl restart ${inputs.unit}'}", extra=extra)
    (folder / "restart.md").write_text(restart)
    return folder


@pytest.fixture
def service(database: SqliteDatabase, folder: Path) -> RunbookService:
    return RunbookService(database, (folder,))


def said(text: str, *more: Message) -> list[Message]:
    return [Message("user", (TextBlock(text),)), *more]


def test_runbooks_are_listed_and_shown_by_slug_or_name(service: RunbookService) -> None:
    assert [book.slug for book in service.list()] == ["disk-check", "restart"]
    assert service.show("disk-check").name == service.show("Disk Check").name == "Disk Check"


def test_an_unknown_name_is_refused_with_the_nearest(service: RunbookService) -> None:
    with pytest.raises(NotFoundError, match="did you mean `disk-check`"):
        service.show("disk-chek")
    with pytest.raises(NotFoundError):
        service.show("../../etc/passwd")


def test_the_first_folder_wins_and_the_other_file_is_named(
    database: SqliteDatabase, folder: Path, tmp_path: Path
) -> None:
    own = tmp_path / "own"
    own.mkdir()
    (own / "disk-check.md").write_text(runbook_text(STEP).replace("name: Sample", "name: Mine"))
    service = RunbookService(database, (own, folder))
    assert service.show("disk-check").name == "Mine"
    assert any("not used" in problem.text for problem in service.validate())


def test_validation_of_named_files_and_of_all(service: RunbookService, folder: Path) -> None:
    bad = folder / "bad.md"
    bad.write_text("nothing")
    assert [problem.level for problem in service.validate([bad])] == ["error"]
    assert any(problem.path == str(bad) for problem in service.validate(tools=["shell_exec"]))
    with pytest.raises(ConfigError):
        service.show("bad")
    assert len(service.list()) == 2


def test_testing_without_recorded_outputs_is_refused(service: RunbookService) -> None:
    with pytest.raises(NotFoundError):
        service.test("disk-check")


async def test_the_index_follows_the_files(service: RunbookService, folder: Path, database: SqliteDatabase) -> None:
    assert [match.slug for match in await service.match("check the disk")] == ["disk-check"]
    changed = (folder / "disk-check.md").read_text().replace("[disk]", "[tape]")
    (folder / "disk-check.md").write_text(changed.replace("Disk Check", "Tape Check"))
    assert [match.slug for match in await service.match("check the tape")] == ["disk-check"]
    (folder / "disk-check.md").unlink()
    assert await service.match("check the tape") == ()
    rows = await database.read(lambda connection: connection.execute("SELECT path FROM runbook_texts"))
    assert [row["path"] for row in rows] == [str(folder / "restart.md")]


async def test_a_file_that_cannot_be_read_is_named_and_left_out(service: RunbookService, folder: Path) -> None:
    (folder / "disk-check.md").write_text("broken disk")
    problems = await service.sync()
    assert [Path(problem.path).name for problem in problems] == ["disk-check.md"]
    assert await service.match("disk") == ()


async def test_syncing_twice_writes_once(service: RunbookService) -> None:
    assert await service.sync() == ()
    assert await service.sync() == ()


@pytest.mark.parametrize(
    "message", ["disk' OR 1=1 --", '"disk" AND (', "disk*", "NEAR(disk)", "\x00disk", "disk " * 2000]
)
async def test_hostile_messages_are_only_words(service: RunbookService, message: str) -> None:
    await service.match(message)


async def test_the_message_chooses_the_player(service: RunbookService) -> None:
    player = await service.choose(said("is the disk ok"))
    assert isinstance(player, Player)
    wanted = player.next(said("is the disk ok"))
    assert isinstance(wanted, tuple)
    assert wanted[0].id == "rb-disk-check-a"


async def test_text_from_outside_does_not_choose(service: RunbookService) -> None:
    blocks = (TextBlock("look at this"), TextBlock("restart disk disk-check", untrusted="stdin"))
    assert isinstance(await service.choose([Message("user", blocks)]), Standing)


async def test_a_play_under_way_goes_on_whatever_the_index_says(service: RunbookService) -> None:
    call = Message("assistant", (ToolUseBlock("rb-disk-check-a", "shell_exec", {}),))
    assert isinstance(await service.choose(said("restart", call)), Player)


async def test_when_nothing_fits_the_answer_says_what_there_is(service: RunbookService) -> None:
    chosen = await service.choose(said("tell me a joke"))
    assert isinstance(chosen, Standing)
    report = chosen.next(())
    assert report.severity == "unknown"
    assert report.report_dict()["runbook"] is None
    assert "`disk-check`" in report.text
    assert "ANTHROPIC_API_KEY" in report.text
    assert report.text.endswith("No language model was used.\n")


async def test_a_runbook_that_needs_inputs_says_so_and_plays_nothing(service: RunbookService) -> None:
    chosen = await service.choose(said("restart it"))
    assert isinstance(chosen, Standing)
    assert "akili runbooks run restart --input unit=..." in chosen.report.text


async def test_a_pinned_runbook_is_played_whatever_is_said(service: RunbookService) -> None:
    factory = service.pinned("restart", {"unit": "shop.service"})
    wanted = (await factory(said("x"))).next(said("x"))
    assert isinstance(wanted, tuple)
    assert wanted[0].arguments == {"command": "systemctl restart shop.service"}
    with pytest.raises(UsageError):
        service.pinned("restart", {})
    with pytest.raises(NotFoundError):
        service.pinned("nothing", {})
