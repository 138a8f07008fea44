from __future__ import annotations

from akili_cli.adapters.storage.rows import number_or_none, older_than, one_of


def test_null_is_none() -> None:
    assert (number_or_none({"a": None}, "a"), number_or_none({"a": 2}, "a")) == (None, 2.0)


def test_a_column_is_one_of_the_values_and_never_one_of_none() -> None:
    assert one_of("job_id", ["x", "y"]) == ("job_id IN (:job_id_0, :job_id_1)", {"job_id_0": "x", "job_id_1": "y"})
    assert one_of("job_id", []) == ("1 = 0", {})


def test_a_place_in_a_list_is_a_time_and_an_id_and_the_beginning_of_it_is_none() -> None:
    condition, values = older_than((2.5, "b"), "fire_at")
    assert condition == " AND (fire_at < :before_at OR (fire_at = :before_at AND id < :before_id))"
    assert values == {"before_at": 2.5, "before_id": "b"}
    assert older_than(None) == ("", {})
