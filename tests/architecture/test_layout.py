from __future__ import annotations

import pytest

from tests.architecture.source import PACKAGE, ROOT, name_of, source_files

WITHOUT_MIRROR = {
    "adapters/engine/base.py": "protocols only; tests/contract/test_engines.py holds every engine to them",
    "adapters/storage/base.py": "protocols only; tests/contract/test_storage.py holds every backend to them",
    "core/sandbox/base.py": "protocols and plain values; tests/contract/test_sandboxes.py holds every backend to them",
    "core/schedule/base.py": "protocols and plain values; tests/contract/test_ticker.py holds the ticker to them",
    "core/tools/base.py": "a protocol and a config line; tests/unit/core/tools/test_toolbox.py shows the latter",
    "domain/events.py": "a name list and a plain value",
    "domain/messages.py": "plain values and a protocol; tests/contract/test_llm.py holds every provider to it",
}
LONG = {
    "adapters/storage/schema.py": "steps are only ever added",
    "adapters/files/paths.py": "one door, read as a whole",
    "core/execution/pipeline.py": "the one way a tool runs, read as a whole",
    "core/tools/shell/network.py": "a table of programs",
}
FORBIDDEN_NAMES = {"utils", "helpers", "common", "misc", "types"}
COVERED_BY_CONFIG_TESTS = "settings.py"


def test_every_source_file_has_its_unit_test_file() -> None:
    missing = []
    for path in source_files():
        name = path.relative_to(PACKAGE)
        if path.name in ("__init__.py", COVERED_BY_CONFIG_TESTS) or str(name) in WITHOUT_MIRROR:
            continue
        mirror = ROOT / "tests" / "unit" / name.with_name(f"test_{path.stem.strip('_')}.py")
        if not mirror.exists():
            missing.append(f"{name} -> {mirror.relative_to(ROOT)}")
    assert missing == []


def test_no_file_is_longer_than_four_hundred_lines() -> None:
    long = {}
    for path in source_files():
        lines = len(path.read_text(encoding="utf-8").splitlines())
        if lines > 400 and name_of(path) not in LONG:
            long[name_of(path)] = lines
    assert long == {}


@pytest.mark.parametrize(("table"), [WITHOUT_MIRROR, LONG], ids=["mirrors", "lengths"])
def test_exceptions_name_files_that_exist_and_their_reasons(table: dict[str, str]) -> None:
    names = {name_of(path) for path in source_files()}
    for name, reason in table.items():
        assert name in names, f"{name} is gone; take it off the list"
        assert reason


def test_no_file_has_a_name_that_says_nothing() -> None:
    assert [name_of(p) for p in source_files() if p.stem in FORBIDDEN_NAMES] == []


def test_every_directory_of_the_package_is_a_package() -> None:
    directories = {path.parent for path in source_files()}
    assert [str(d) for d in directories if not (d / "__init__.py").exists()] == []


def test_every_file_begins_with_a_docstring() -> None:
    for path in source_files():
        lines = path.read_text(encoding="utf-8").splitlines()
        first = lines[1] if lines[0].startswith("#!") else lines[0]
        assert first.startswith('"""'), name_of(path)
