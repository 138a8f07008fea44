from __future__ import annotations

import json
from pathlib import Path

import pytest

from akili_cli.adapters.files.yaml import load_yaml
from akili_cli.config.load import load_settings
from akili_cli.config.paths import open_workspace
from akili_cli.domain.errors import ConfigError

CORPUS = Path(__file__).parent / "corpora" / "config.txt"
CASES = [
    tuple(line.rsplit(" => ", 1))
    for line in CORPUS.read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
]


def refusal_of(text: str, name: str, tmp_path: Path) -> str:
    workspace = open_workspace({"HOME": str(tmp_path)})
    file = workspace.root / name
    file.write_text(text, encoding="utf-8")
    file.chmod(0o600)
    with pytest.raises(ConfigError) as caught:
        load_settings({"HOME": str(tmp_path)}, config_path=None, overrides={}, cwd=tmp_path, workspace=workspace)
    return str(caught.value)


@pytest.mark.parametrize(("text", "fragment"), CASES, ids=[case[0][:70] for case in CASES])
def test_each_config_of_the_corpus_is_refused_in_these_words(text: str, fragment: str, tmp_path: Path) -> None:
    message = refusal_of(text.replace("\\n", "\n").replace("\\t", "\t"), "config.yaml", tmp_path)
    assert fragment in message
    assert "config.yaml" in message
    assert message.isprintable() or "\n" in message


@pytest.mark.parametrize(("text", "fragment"), CASES, ids=[case[0][:70] for case in CASES])
def test_the_same_config_in_json_is_refused_alike(text: str, fragment: str, tmp_path: Path) -> None:
    try:
        data = load_yaml(text.replace("\\n", "\n").replace("\\t", "\t"), source="x")
    except ConfigError:
        pytest.skip("no JSON says this")
    message = refusal_of(json.dumps(data), "config.json", tmp_path)
    assert fragment.replace("config.yaml", "config.json") in message


def test_the_corpus_is_large_enough() -> None:
    assert len(CASES) >= 40
