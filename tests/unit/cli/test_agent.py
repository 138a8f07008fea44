from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.akili import Akili


@pytest.mark.parametrize(
    "arguments", [("--concurrency", "0"), ("--poll-interval", "0"), ("--concurrency", "many"), ("--drain", "-1")]
)
def test_a_number_that_makes_no_sense_is_a_usage_error(tmp_path: Path, arguments: tuple[str, str]) -> None:
    assert Akili(tmp_path).run("agent", *arguments).returncode == 64
