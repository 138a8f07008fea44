from __future__ import annotations

import pytest

from akili_cli.domain.effects import Effects
from akili_cli.domain.errors import NotFoundError
from akili_cli.domain.images import NoBeforeImages, RepositoryPlaces
from tests.fakes.permits import permit_for


async def test_without_images_the_effect_runs_and_nothing_can_be_undone() -> None:
    images = NoBeforeImages()
    assert not images.reversible("/srv/x")
    ran = False
    async with images.before(permit_for(Effects()), ("/srv/x",)) as under_way:
        under_way.wrote("/srv/x", b"x")
        ran = True
    assert ran
    with pytest.raises(NotFoundError):
        await images.load("abcd", "ann")


async def test_without_images_a_change_of_a_repository_runs_and_cannot_be_undone() -> None:
    images, places = NoBeforeImages().repositories, RepositoryPlaces("/srv", "/srv/.git", "/srv/.git")
    assert not images.reversible(places)
    ran = False
    async with images.before(permit_for(Effects()), places):
        ran = True
    assert ran
    with pytest.raises(NotFoundError, match="abcd"):
        await images.restore(permit_for(Effects()), "abcd", top="/srv", current="", earlier="")
