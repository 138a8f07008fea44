from __future__ import annotations

import os
from pathlib import Path

from tests.unit.cli.conftest import Say


def test_every_area_is_reported(akili: Say) -> None:
    said = akili("doctor", "--json")
    assert said.json["ok"] is (said.code == 0)
    areas = {check["area"] for check in said.json["checks"]}
    assert {"machine", "workspace", "config", "database", "sandbox", "audit", "model", "runbooks"} <= areas
    for check in said.json["checks"]:
        assert check["status"] in ("ok", "missing", "broken")
        assert check["detail"]
    assert "machine: " in akili("doctor").out


def test_a_broken_config_is_a_finding_not_an_end(akili: Say) -> None:
    workspace = Path(os.environ["HOME"]) / ".akili"
    workspace.mkdir(mode=0o700)
    (workspace / "config.yaml").write_text("nosuch: 1\n")
    said = akili("doctor", "--json")
    assert (said.code, said.json["ok"]) == (1, False)
    assert any("nosuch" in check["detail"] for check in said.json["checks"])
