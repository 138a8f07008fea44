from __future__ import annotations

import pytest

from akili_cli.domain.paths import is_within, is_within_any, with_ancestors


@pytest.mark.parametrize(
    ("path", "root"), [("/srv", "/srv"), ("/srv/a/b", "/srv"), ("/srv/a", "/srv/"), ("/x", "/"), ("/", "/")]
)
def test_a_path_is_within_its_root(path: str, root: str) -> None:
    assert is_within(path, root)
    assert is_within_any(path, {root.rstrip("/") or "/"})


@pytest.mark.parametrize(
    ("path", "root"),
    [
        ("/srvevil", "/srv"),
        ("/sr", "/srv"),
        ("/", "/srv"),
        ("srv", "/srv"),
        ("", "/"),
        ("/SRV", "/srv"),
        ("/srv", ""),
        ("/srv/a", "srv"),
    ],
)
def test_a_sibling_with_the_same_beginning_is_not(path: str, root: str) -> None:
    assert not is_within(path, root)
    assert not is_within_any(path, {root})


def test_no_root_holds_nothing() -> None:
    assert not is_within_any("/srv", ())


def test_ancestors_are_nearest_first_and_end_at_the_root() -> None:
    assert with_ancestors("/a/b") == ("/a/b", "/a", "/")
    assert with_ancestors("/") == ("/",)
    assert with_ancestors("relative") == ()
