from __future__ import annotations

import json
import subprocess
import sys
from importlib import resources
from pathlib import Path

import jsonschema


def schema(package: str, name: str) -> object:
    return json.loads((resources.files(package) / name).read_text())


def test_the_json_of_a_run_is_what_its_schema_says(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "akili_cli", "query", "-m", "Is this host healthy?", "--json"],
        env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=True,
    )
    run = json.loads(done.stdout)
    jsonschema.validate(run, schema("akili_cli.core.agent", "run.schema.json"))
    jsonschema.validate(run["report"], schema("akili_cli.features.runbooks", "report.schema.json"))
    assert (run["status"], run["provider"]) == ("ok", "builtin")
    facts = {fact["label"] for fact in run["report"]["facts"]}
    assert {"Load", "Memory", "Disk"} <= facts
