from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fakes.http_app import Gateway, open_gateway


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    """The application over a real workspace; ``gateway.client_of("ann")`` asks it as somebody."""
    async with open_gateway(tmp_path) as opened:
        yield opened
