from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from akili_cli.domain.errors import ConfigError, ConflictError, NotFoundError
from akili_cli.features.heartbeats.service import check_files
from tests.fakes.heartbeats import HeartbeatRoom, open_heartbeat_room, task, task_file


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[HeartbeatRoom]:
    async with open_heartbeat_room(tmp_path) as opened:
        yield opened


async def test_files_are_shown_before_they_are_stored_and_with_their_books_after(room: HeartbeatRoom) -> None:
    room.write(task_file())
    room.write("nothing", "b.md")
    before = await room.service.reader.overview()
    assert [(spec.name, stored) for spec, stored in before.tasks] == [("look", None)]
    assert "b.md:1: no front matter" in before.problems[0]
    assert await room.tasks() == {}
    await room.sync()
    await room.tick()
    ((_, stored),) = (await room.service.reader.overview()).tasks
    assert stored is not None
    assert stored.last_status == "success"
    assert (await room.service.reader.shown("look"))[1] == stored


async def test_a_task_is_found_by_name_title_and_the_beginning_of_its_id(room: HeartbeatRoom) -> None:
    room.write(task_file(task("look"), task("dig/deep")))
    room.write(task_file(task("look"), name="more"), "b.md")
    await room.sync()
    reader = room.service.reader
    found = await reader.task("dig/deep")
    assert {(await reader.task(typed)).id for typed in ("ops/dig/deep", found.id, found.id[:8])} == {found.id}
    with pytest.raises(ConflictError) as wrong:
        await reader.task("look")
    assert wrong.value.hint == "such as 'more/look' or 'ops/look'"
    with pytest.raises(NotFoundError, match="did you mean `dig/deep`"):
        await reader.task("dig/dep")
    with pytest.raises(NotFoundError):
        await reader.task(found.id[:3])


async def test_the_history_of_a_task_outlives_its_file(room: HeartbeatRoom) -> None:
    path = room.write(task_file())
    await room.sync()
    await room.tick()
    path.unlink()
    await room.sync()
    assert len(await room.service.reader.history("look", 10)) == 1
    with pytest.raises(NotFoundError):
        await room.service.to_trigger("look")


async def test_a_sync_says_what_is_new_once(room: HeartbeatRoom) -> None:
    room.write("nothing")
    assert (await room.sync()).news is True
    again = await room.sync()
    assert (again.news, len(again.problems)) == (False, 1)


def test_checking_tells_files_of_one_name_apart(tmp_path: Path) -> None:
    for name in ("a.md", "b.md"):
        (tmp_path / name).write_text(task_file())
    first, second = check_files([tmp_path / "a.md", tmp_path / "b.md"])
    assert (len(first.tasks), first.problems) == (1, ())
    assert "the name 'ops' is taken by" in second.problems[0]
    with pytest.raises(ConfigError):
        check_files([tmp_path])
