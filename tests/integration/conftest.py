from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.akili import Akili


@pytest.fixture
def akili(tmp_path: Path) -> Akili:
    return Akili(tmp_path)
