from __future__ import annotations

from pathlib import Path

import pytest

from akili_cli.core.sandbox.backends.docker import DockerSandbox
from akili_cli.core.sandbox.settings import SandboxSettings
from akili_cli.domain.clock import SystemClock
from akili_cli.domain.errors import ConfigError
from tests.fakes.docker_engine import FakeEngine


def test_without_an_image_nothing_is_opened(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"sandbox\.docker\.image"):
        DockerSandbox(SandboxSettings(type="docker"), tmp_path, SystemClock(), {})


def test_opening_asks_nothing_and_looking_asks_once(tmp_path: Path) -> None:
    engine = FakeEngine(tmp_path)
    sandbox = engine.sandbox()
    assert engine.calls("version") == []
    assert sandbox.layers() == sandbox.layers()
    assert len(engine.calls("version")) == 1
