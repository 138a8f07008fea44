from __future__ import annotations

import pytest

from akili_cli.domain.errors import RateLimitedError
from akili_cli.gateways.http.limits import MAX_BUCKETS, Buckets, failure_brake, peer_name
from tests.fakes.clock import FakeClock


def taken(buckets: Buckets, name: str = "ann", most: int = 1000) -> int:
    for count in range(most):
        try:
            buckets.take(name)
        except RateLimitedError:
            return count
    return most


def test_no_limit_means_no_bucket() -> None:
    buckets = Buckets(0, 0, FakeClock())
    assert taken(buckets) == 1000
    assert not buckets._kept


@pytest.mark.parametrize(("per_minute", "burst", "at_once"), [(60, 0, 60), (60, 5, 5), (1, 0, 1), (30, 100, 100)])
def test_a_new_user_has_a_full_bucket(per_minute: int, burst: int, at_once: int) -> None:
    assert taken(Buckets(per_minute, burst, FakeClock())) == at_once


def test_a_bucket_refills_at_its_rate_and_never_over_its_size() -> None:
    clock = FakeClock()
    buckets = Buckets(60, 3, clock)
    assert taken(buckets) == 3
    clock.move(1)
    assert taken(buckets) == 1
    clock.move(0.5)
    assert taken(buckets) == 0
    clock.move(0.5)
    assert taken(buckets) == 1
    clock.move(3600)
    assert taken(buckets) == 3


def test_a_refusal_says_when_there_will_be_a_token() -> None:
    clock = FakeClock()
    buckets = Buckets(6, 1, clock)
    buckets.take("ann")
    with pytest.raises(RateLimitedError) as caught:
        buckets.take("ann")
    assert caught.value.retry_after_s == pytest.approx(10)
    clock.move(caught.value.retry_after_s)
    buckets.take("ann")


def test_each_user_has_a_bucket_of_their_own() -> None:
    buckets = Buckets(60, 2, FakeClock())
    assert taken(buckets, "ann") == 2
    assert taken(buckets, "ben") == 2


def test_what_is_given_back_can_be_taken_again_but_no_more() -> None:
    buckets = Buckets(60, 2, FakeClock())
    buckets.give_back("ann")
    assert taken(buckets) == 2
    buckets.give_back("ann")
    assert taken(buckets) == 1


def test_the_map_is_bounded_and_forgets_who_was_away_longest() -> None:
    buckets = Buckets(60, 1, FakeClock())
    for number in range(MAX_BUCKETS):
        buckets.take(f"u{number}")
    with pytest.raises(RateLimitedError):
        buckets.take("u0")
    buckets.take("new")
    assert len(buckets._kept) == MAX_BUCKETS
    assert "u1" not in buckets._kept
    assert "u0" in buckets._kept


def test_ten_failures_a_minute_are_allowed() -> None:
    clock = FakeClock()
    brake = failure_brake(clock)
    assert taken(brake, "192.0.2.1") == 10
    clock.move(60)
    assert taken(brake, "192.0.2.1") == 10


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("", "unknown"),
        ("testclient", "unknown"),
    ],
)
def test_one_host_is_one_peer_however_many_addresses_it_has(address: str, name: str) -> None:
    assert peer_name(address) == name
