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
