from __future__ import annotations

import inspect

import pytest

from akili_cli.domain import errors
from akili_cli.domain.errors import AkiliError

CLASSES = [cls for _, cls in inspect.getmembers(errors, inspect.isclass) if issubclass(cls, AkiliError)]


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_every_error_has_the_codes_that_the_tree_in_the_docstring_draws(cls: type[AkiliError]) -> None:
    line = next(line for line in (errors.__doc__ or "").splitlines() if cls.__name__ in line.split())
    numbers = line.split(cls.__name__)[1].split("/")
    assert int(numbers[0]) == cls.exit_code
    assert int(numbers[1].split()[0]) == cls.http_status


def test_every_error_is_drawn_and_has_a_code_of_its_own() -> None:
    assert len({cls.code for cls in CLASSES}) == len(CLASSES)


def test_an_error_keeps_message_hint_and_whether_to_try_again() -> None:
    error = AkiliError("what", hint="do", retryable=True)
    assert (str(error), error.hint, error.retryable) == ("what", "do", True)
