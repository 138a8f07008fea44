from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fakes.model_server import ModelServer, Reply


def akili(home: Path, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "akili_cli", *arguments],
        env={"HOME": str(home), "PATH": os.environ["PATH"], "STUB_KEY": "stub-key-0123456789"},
        cwd=home,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize("kind", ["openai_compatible", "litellm"])
def test_two_turns_with_piped_text_work_through_both_providers(kind: str, tmp_path: Path) -> None:
    (tmp_path / ".akili").mkdir(mode=0o700)
    config = tmp_path / ".akili" / "config.yaml"
    with ModelServer([Reply(text="The disk is full."), Reply(text="As I said.")]) as server:
        config.write_text(
            f"providers:\n  default: stub\n  stub: {{kind: {kind}, model: m, base_url: '{server.url}', "
            "api_key: 'env://STUB_KEY', price: {free: true}}\n"
        )
        config.chmod(0o600)
        first = akili(tmp_path, "query", "-m", "what does this say?", stdin="disk full on /var\n")
        second = akili(tmp_path, "query", "--continue", "-m", "and then?", "--json")
        asked = [json.dumps(request) for request in server.requests]
    assert (first.returncode, first.stdout.strip()) == (0, "The disk is full."), first.stderr
    assert (second.returncode, json.loads(second.stdout)["answer"]) == (0, "As I said."), second.stderr
    assert "untrusted" in asked[0]
    assert "disk full on /var" in asked[0]
    assert "The disk is full." in asked[1]
    assert "stub-key-0123456789" not in first.stdout + first.stderr + second.stdout + second.stderr
