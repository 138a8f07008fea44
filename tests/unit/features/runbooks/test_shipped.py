from __future__ import annotations

from akili_cli.features.runbooks.shipped import shipped_runbooks_dir


def test_the_shipped_runbooks_are_where_the_package_says() -> None:
    directory = shipped_runbooks_dir()
    assert len(list(directory.glob("*.md"))) == 10
    assert len(list((directory / "recorded").glob("*.yaml"))) == 10
