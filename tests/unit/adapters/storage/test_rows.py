from __future__ import annotations

from akili_cli.adapters.storage.rows import number_or_none, one_of


def test_null_is_none() -> None:
    assert (number_or_none({"a": None}, "a"), number_or_none({"a": 2}, "a")) == (None, 2.0)


def test_a_column_is_one_of_the_values_and_never_one_of_none() -> None:
    assert one_of("job_id", ["x", "y"]) == ("job_id IN (:job_id_0, :job_id_1)", {"job_id_0": "x", "job_id_1": "y"})
    assert one_of("job_id", []) == ("1 = 0", {})
