"""What stores do with rows and lists again and again."""

from __future__ import annotations

from collections.abc import Sequence

from akili_cli.adapters.storage.base import Row


def number_or_none(row: Row, name: str) -> float | None:
    """Give a number of a row; NULL is None."""
    return None if row[name] is None else float(str(row[name]))


def one_of(column: str, values: Sequence[object]) -> tuple[str, dict[str, object]]:
    """Give the condition that a column (our own name) holds one of the values, and its parameters; none: never true."""
    if not values:
        return "1 = 0", {}
    params = {f"{column}_{at}": value for at, value in enumerate(values)}
    return f"{column} IN ({', '.join(f':{name}' for name in params)})", params


def older_than(place: tuple[float, str] | None, column: str = "created_at") -> tuple[str, dict[str, object]]:
    """Give the condition (beginning with AND) that a row comes after a place in a list, newest first, and its values.

    A place is a time and an id; None is the beginning of the list.
    """
    if place is None:
        return "", {}
    at, row_id = place
    condition = f" AND ({column} < :before_at OR ({column} = :before_at AND id < :before_id))"
    return condition, {"before_at": at, "before_id": row_id}


def newest_owned(
    org: str, user: str | None, *, name: str | None, before: tuple[float, str] | None, limit: int
) -> tuple[str, dict[str, object]]:
    """Give how a SELECT of named, owned things ends (from WHERE on) and its values: the newest after a place.

    ``user`` None stands for everybody, ``name`` for the one of that name.
    """
    only, values = older_than(before)
    values |= {"org": org, "user": user, "name": name, "limit": limit}
    only += "" if user is None else " AND user_id = :user"
    only += "" if name is None else " AND name = :name"
    return f"WHERE org_id = :org{only} ORDER BY created_at DESC, id DESC LIMIT :limit", values
