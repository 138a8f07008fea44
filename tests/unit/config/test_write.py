from __future__ import annotations

import stat
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from akili_cli.adapters.files.yaml import load_yaml
from akili_cli.config.settings import DEFAULT_SECURITY
from akili_cli.config.sources import read_config_file
from akili_cli.config.write import write_config
from akili_cli.domain.errors import WorkspaceError

TEXT = st.text(alphabet=st.characters(exclude_categories=("Cs",)), max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=12,
)


@pytest.mark.parametrize("name", ["config.yaml", "config.yml", "config.json"])
def test_what_is_written_reads_back_and_is_private(name: str, tmp_path: Path) -> None:
    path = tmp_path / "new" / name
    data: dict[str, object] = {"security": DEFAULT_SECURITY, "empty": {}, "none": [], "on": "yes", "n": 1.5}
    write_config(path, data)
    assert read_config_file(path).data == data
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("name", ["a.yaml", "a.json"])
def test_an_empty_mapping_is_written(name: str, tmp_path: Path) -> None:
    write_config(tmp_path / name, {})
    assert read_config_file(tmp_path / name).data == {}


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(TEXT, VALUES, max_size=3))
def test_any_data_survives_yaml(tmp_path: Path, data: dict[str, object]) -> None:
    path = tmp_path / "a.yaml"
    write_config(path, data)
    assert (load_yaml(path.read_text(encoding="utf-8"), source="a") or {}) == data


def test_a_place_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WorkspaceError):
        write_config(tmp_path / "file" / "config.yaml", {})
