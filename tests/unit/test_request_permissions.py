"""Who may ask for what."""

from dataclasses import replace

import pytest

from router.errors import Rejected
from router.rules.matching import Matcher
from router.rules.permissions import Permissions
from schemas.events.requests import Asked, CancelAsked, LoadAsked, PreviewAsked, RetryAsked
from tests.builders import A_CSV, config, load_asked, request

CONFIG = config("""
version: 1
allow: ["s3://landing/", "s3://partners/risk/"]
sources:
  orders:
    id: orders-v1
    from: {path: "s3://landing/orders/", match: "**/*.csv"}
    format: csv
    into: {table: lake.sales.orders}
  risk:
    id: risk-v1
    from: {path: "s3://partners/risk/", match: "**/*.parquet", trigger: requests, producers: [risk-batch, /audit]}
    format: parquet
    into: {table: lake.risk.positions}
    lane: {pin: high-memory}
""")
MATCHER = Matcher(CONFIG)
PERMISSIONS = Permissions(CONFIG, MATCHER)
RISK = "s3://partners/risk/p.parquet"


def rejected(asked: Asked, *, producer: str = "/tests") -> Rejected:
    with pytest.raises(Rejected) as found:
        PERMISSIONS.source_of(request(asked, producer=producer))
    return found.value


@pytest.mark.parametrize("source", ["orders", "orders-v1"])
def test_a_source_is_named_by_its_name_or_its_id(source: str) -> None:
    assert PERMISSIONS.source_of(request(load_asked(source=source))) == "orders-v1"
    assert PERMISSIONS.source_of(request(PreviewAsked(source=source, file=A_CSV))) == "orders-v1"


def test_an_unknown_source_is_told_which_there_are() -> None:
    refusal = rejected(load_asked(source="x" * 10_000))

    assert refusal.reason == "unknown-source"
    assert refusal.detail.endswith("there are orders, risk")
    assert len(refusal.detail) < 200


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("s3://landing/orders/a.txt", "no-source"),
        ("s3://landing/other/a.csv", "no-source"),
        (RISK, "no-source"),
        ("s3://elsewhere/a.csv", "not-allowed"),
        ("s3://landing/orders/../secrets.csv", "bad-uri"),
        ("s3://landing/orders/", "bad-uri"),
        ("http://landing/orders/a.csv", "bad-uri"),
        ("s3://landing/orders/" + "x" * 3000 + ".csv", "bad-uri"),
    ],
)
def test_a_file_outside_its_source_is_refused(uri: str, reason: str) -> None:
    assert rejected(load_asked(A_CSV, uri)).reason == reason
    assert rejected(PreviewAsked(source="orders", file=uri)).reason == reason


@pytest.mark.parametrize(
    ("prefix", "reason"),
    [
        ("s3://landing/orders/2026", "bad-uri"),
        ("s3://landing/orders/../", "bad-uri"),
        ("s3://landing/orders//", "bad-uri"),
        ("s3://elsewhere/orders/", "not-allowed"),
        ("s3://landing/", "no-source"),
        ("s3://landing/ordersX/", "no-source"),
        ("s3://partners/risk/", "no-source"),
    ],
)
def test_a_prefix_outside_its_source_is_refused(prefix: str, reason: str) -> None:
    assert rejected(LoadAsked(source="orders", prefix=prefix)).reason == reason


@pytest.mark.parametrize("prefix", ["s3://landing/orders/", "s3://landing/orders/2026/11/"])
def test_a_prefix_within_its_source_is_listed(prefix: str) -> None:
    assert PERMISSIONS.source_of(request(LoadAsked(source="orders", prefix=prefix))) == "orders-v1"


@pytest.mark.parametrize("producer", ["risk-batch", "/audit"])
def test_those_who_are_named_may_ask(producer: str) -> None:
    assert PERMISSIONS.source_of(request(load_asked(RISK, source="risk"), producer=producer)) == "risk-v1"


@pytest.mark.parametrize("producer", ["/tests", "risk-batch2", "RISK-BATCH", "risk"])
def test_others_may_not(producer: str) -> None:
    for asked in (
        load_asked(RISK, source="risk"),
        LoadAsked(source="risk", prefix="s3://partners/risk/"),
        PreviewAsked(source="risk-v1", file=RISK),
    ):
        refusal = rejected(asked, producer=producer)

        assert refusal.reason == "producer-not-allowed"
        assert "risk-batch" in refusal.detail


def test_a_producer_is_checked_for_what_a_retry_turns_out_to_be_about() -> None:
    PERMISSIONS.check_producer("/tests", "orders-v1")
    PERMISSIONS.check_producer("risk-batch", "risk-v1")
    PERMISSIONS.check_producer("/tests", "forgotten-v1")
    with pytest.raises(Rejected, match="may not ask"):
        PERMISSIONS.check_producer("/tests", "risk-v1")


@pytest.mark.parametrize("asked", [RetryAsked(batch="b-1"), CancelAsked(files=(RISK,))])
def test_a_retry_or_a_cancel_names_no_source(asked: Asked) -> None:
    assert PERMISSIONS.source_of(request(asked)) is None


def test_what_cannot_be_understood_is_refused_with_what_is_wrong() -> None:
    with pytest.raises(Rejected) as found:
        PERMISSIONS.source_of(replace(request(), asked=None, refused="rows: too many"))

    assert (found.value.reason, found.value.detail) == ("bad-request", "rows: too many")


def test_what_only_requests_load_is_no_business_of_events() -> None:
    for_events = Matcher(CONFIG, for_events=True)

    assert MATCHER.sources_of(RISK) == ["risk-v1"]
    assert for_events.sources_of(A_CSV) == ["orders-v1"]
    with pytest.raises(Rejected) as found:
        for_events.sources_of(RISK)
    assert found.value.reason == "no-source"


def test_a_source_is_told_by_its_present_name() -> None:
    assert PERMISSIONS.name("risk-v1").name == "risk"
    assert PERMISSIONS.name("forgotten-v1").name == "forgotten-v1"


def test_of_sources_that_are_not_configured_any_more_nothing_can_be_asked() -> None:
    assert PERMISSIONS.configured(frozenset({"risk-v1", "forgotten-v1"})) == {"risk-v1"}
    assert PERMISSIONS.configured(frozenset()) == frozenset()
    with pytest.raises(Rejected, match="not in the configuration"):
        PERMISSIONS.configured(frozenset({"forgotten-v1"}))


def test_sources_that_pin_their_lane_are_known() -> None:
    assert PERMISSIONS.pinned == ["risk-v1"]
