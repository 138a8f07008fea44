from __future__ import annotations

import pytest

from akili_cli.core.tools.timeouts import timeout_of
from akili_cli.domain.errors import InvalidArgumentsError


def test_a_duration_is_read_and_none_means_the_longest() -> None:
    assert (timeout_of("1m30s", 90), timeout_of("2s", 90), timeout_of(None, 90)) == (90, 2, 90)


@pytest.mark.parametrize("text", ["", "soon", "-1s", "91s", "2m", "1e9s", "nan"])
def test_what_is_none_or_too_long_is_invalid(text: str) -> None:
    with pytest.raises(InvalidArgumentsError, match="timeout: "):
        timeout_of(text, 90)
