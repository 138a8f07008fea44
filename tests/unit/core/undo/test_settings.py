from __future__ import annotations

import pytest
from pydantic import ValidationError

from akili_cli.core.undo.settings import UndoSettings


def test_undo_is_on_unless_switched_off() -> None:
    assert UndoSettings.model_validate({}).enabled is True


@pytest.mark.parametrize("data", [{"max_file_bytes": 0}, {"max_total_bytes": 5}, {"enabled": 1}, {"keep": 3}], ids=str)
def test_limits_that_fit_nothing_are_refused(data: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        UndoSettings.model_validate(data)
