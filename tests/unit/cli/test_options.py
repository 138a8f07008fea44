from __future__ import annotations

from collections.abc import Iterator

import pytest

from akili_cli.cli import options
from akili_cli.domain.errors import UsageError


@pytest.fixture(autouse=True)
def _put_back() -> Iterator[None]:
    yield
    options.keep(config=None, color="auto")


def test_options_are_kept_for_the_process() -> None:
    options.keep(config="/x.yaml", color="never")
    assert (options.given.config, options.given.color) == ("/x.yaml", "never")


@pytest.mark.parametrize("color", ["", "AUTO", "yes", "purple"])
def test_an_unknown_colour_choice_is_refused_and_changes_nothing(color: str) -> None:
    with pytest.raises(UsageError):
        options.keep(config="/x", color=color)
    assert options.given.config is None
