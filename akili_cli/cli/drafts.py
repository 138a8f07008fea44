"""Checks what a command line gave for something new, or for changes to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeVar

from akili_cli.domain.errors import UsageError

if TYPE_CHECKING:
    from pydantic import BaseModel

    Draft = TypeVar("Draft", bound=BaseModel)


def checked(kind: type[Draft], given: Mapping[str, object]) -> Draft:
    """Give the values as the room's own draft; raises ``UsageError`` that names the first wrong one."""
    from pydantic import ValidationError

    try:
        return kind.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        raise UsageError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error
