"""What a batch needs, and when that is to be tried again."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from router.rules.breaker import FIRST_PAUSE, LONGEST_PAUSE, OPENS_AT, Breaker, Targets, pause
from tests.builders import CONFIG_TEXT, ORDERS, config

ELSEWHERE = """
  risk:
    id: risk-v1
    from: {path: "s3://landing/risk/", match: "**/*.csv"}
    format: {csv: {}}
    into: {table: vault.risk.positions}
"""
TARGETS = Targets(config(CONFIG_TEXT + ELSEWHERE))


def test_a_batch_needs_its_bucket_its_catalog_and_where_it_is_not_alone_the_server() -> None:
    assert TARGETS.of(ORDERS, "default") == {"storage s3://landing", "catalog lake", "Spark Connect"}
    assert TARGETS.of(ORDERS, "high-memory") == {"storage s3://landing", "catalog lake"}
    assert TARGETS.of("gone-v1", "default") == frozenset()


def test_a_target_is_named_as_its_breaker_is() -> None:
    assert TARGETS.named("risk-v1", "catalog") == "catalog vault"
    assert TARGETS.named("risk-v1", "ledger") is None
    assert TARGETS.named("risk-v1", None) is None
    assert TARGETS.named("gone-v1", "catalog") is None


def test_only_the_sources_that_need_it_are_held_up() -> None:
    assert TARGETS.behind("default", ["catalog lake"]) == {ORDERS, "audit-v1"}
    assert TARGETS.behind("high-memory", ["Spark Connect"]) == frozenset()
    assert TARGETS.behind("default", []) == frozenset()


def test_a_breaker_opens_at_the_third_failure_and_lets_one_try_after_its_pause() -> None:
    assert not Breaker("t", OPENS_AT - 1, LONGEST_PAUSE, "away").is_open
    assert Breaker("t", OPENS_AT, timedelta(seconds=1), "away").is_open
    assert Breaker("t", OPENS_AT, timedelta(0), "away").is_half_open
    assert not Breaker("t", OPENS_AT - 1, timedelta(0), "away").is_half_open


@given(st.integers(1, 10_000))
def test_its_pauses_double_up_to_a_cap(failures: int) -> None:
    assert pause(failures) <= pause(failures + 1) <= LONGEST_PAUSE
    assert (pause(failures) >= FIRST_PAUSE) == (failures >= OPENS_AT)
