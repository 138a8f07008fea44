from __future__ import annotations

from pathlib import Path

from akili_cli.adapters.telemetry.redact import Redactor
from akili_cli.bootstrap.app import Start, open_app, open_state
from akili_cli.bootstrap.keys import open_keys
from akili_cli.domain.calls import Principal, Source
from tests.fakes.keys import draft


async def test_the_roles_of_the_configuration_count_and_the_key_is_hidden(tmp_path: Path) -> None:
    start = Start(env={"HOME": str(tmp_path)}, cwd=tmp_path, redactor=Redactor())
    async with open_state(start) as state, open_app(state) as app:
        keys = open_keys(state, app.pipeline.audit)
        key, token = await keys.create(draft("ann", role="operator"), Principal("me", Source.CLI))
        owner = await keys.verify(token)
        assert owner is not None
        assert (owner.user, owner.key_id) == ("ann", key.id)
        assert token not in state.redactor.text(f"it is {token}")
