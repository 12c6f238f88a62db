"""Estimates, lanes and size classes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.rules.sizing import FILE_BYTES, LEARN_FROM_BYTES, Place, Sizing, estimate, learned
from schemas.config import ConfigError
from schemas.formats import Format
from tests.builders import config

GIB = 1024**3
TEXT = """
version: 1
allow: ["s3://b/"]
lanes: {high-memory: {pool: {type: %s}, above: 10GiB}}
sources:
  plain: {id: plain, from: {path: "s3://b/plain/"}, format: csv, into: {table: l.a.plain}}
  pinned:
    id: pinned
    from: {path: "s3://b/pinned/"}
    format: parquet
    into: {table: l.a.pinned}
    lane: {pin: high-memory, cpu: 12, memory: 48GiB}
  kept: {id: kept, from: {path: "s3://b/kept/"}, format: csv, into: {table: l.a.kept}, lane: {pin: default}}
"""
CONFIG = config(TEXT % "kubernetes")
SIZING = Sizing(CONFIG)
PLAIN, PINNED = CONFIG.sources["plain"], CONFIG.sources["pinned"]


@pytest.mark.parametrize(
    ("kind", "name", "times"),
    [
        ("csv", "a.csv", 1),
        ("csv", "a.csv.gz", 6),
        ("csv", "a.CSV.GZ", 6),
        ("json", "a.json.zst", 6),
        ("json", "gz/a.json", 1),
        ("parquet", "a.parquet", 4),
        ("parquet", "a.gz", 4),
        ("csv", "no-suffix", 1),
    ],
)
def test_an_estimate_unpacks_format_and_compression(kind: str, name: str, times: int) -> None:
    assert estimate(Format.model_validate(kind), f"s3://b/{name}", 1000) == 1000 * times + FILE_BYTES


@given(st.lists(st.integers(0, GIB), min_size=1, max_size=50))
def test_many_files_are_estimated_bigger_than_one_of_their_size(sizes: list[int]) -> None:
    csv = Format.model_validate("csv")

    assert sum(estimate(csv, "s3://b/a.csv", size) for size in sizes) >= estimate(csv, "s3://b/a.csv", sum(sizes))


def test_what_is_above_the_threshold_goes_to_high_memory() -> None:
    assert SIZING.place("plain", "s3://b/plain/a.csv", 10 * GIB).lane == "high-memory"
    assert SIZING.place("plain", "s3://b/plain/a.csv", 10 * GIB - FILE_BYTES) == Place("default", 1, 10 * GIB)
    assert SIZING.place("plain", "s3://b/plain/a.csv.gz", 2 * GIB).lane == "high-memory"


def test_what_a_person_asked_for_goes_to_priority_unless_it_is_big() -> None:
    assert SIZING.place("plain", "s3://b/plain/a.csv", 1, asked=True) == Place("priority", 0, 1 + FILE_BYTES)
    big = SIZING.place("plain", "s3://b/plain/a.csv", 11 * GIB, asked=True)
    assert (big.lane, big.rank) == ("high-memory", 0)


def test_a_pin_counts_first() -> None:
    assert SIZING.place("pinned", "s3://b/pinned/a.parquet", 1).lane == "high-memory"
    assert SIZING.place("kept", "s3://b/kept/a.csv", 99 * GIB).lane == "default"
    assert SIZING.place("kept", "s3://b/kept/a.csv", 1, asked=True) == Place("default", 0, 1 + FILE_BYTES)


def test_a_source_that_is_not_configured_any_more_has_a_place_all_the_same() -> None:
    assert SIZING.place("gone", "s3://b/gone/a.csv", 5) == Place("default", 1, 5)


def test_a_batch_outside_high_memory_never_grows_so_big_that_it_would_belong_there() -> None:
    roomy = CONFIG.sources["plain"].model_copy(update={"batch": PLAIN.batch.model_copy(update={"max_bytes": 99 * GIB})})

    assert SIZING.max_bytes(roomy, "default", None) == 10 * GIB
    assert SIZING.max_bytes(roomy, "high-memory", None) == 99 * GIB
    assert SIZING.max_bytes(roomy, "default", 1000) == 1000 * 3600
    assert SIZING.max_bytes(PLAIN, "default", 1e12) == 2 * GIB


def test_a_batch_that_would_take_too_long_goes_to_high_memory() -> None:
    assert SIZING.lane_of_batch(PLAIN, "default", 3601, 1) == "high-memory"
    assert SIZING.lane_of_batch(PLAIN, "default", 3600, 1) == "default"
    assert SIZING.lane_of_batch(PLAIN, "priority", 99 * GIB, None) == "priority"
    assert SIZING.lane_of_batch(CONFIG.sources["kept"], "default", 99 * GIB, 1) == "default"


def test_a_size_class_becomes_the_job_variables_of_kubernetes() -> None:
    assert SIZING.job_variables("plain", 0) == {}
    assert SIZING.job_variables("plain", 1) == {
        "cpu_request": "8",
        "cpu_limit": "16",
        "memory_request": "32768Mi",
        "memory_limit": "65536Mi",
    }
    assert SIZING.job_variables("plain", 2)["memory_request"] == "65536Mi"


def test_a_pinned_size_is_the_first_class_and_bigger_ones_follow() -> None:
    assert SIZING.job_variables("pinned", 1)["cpu_limit"] == "12"
    assert SIZING.job_variables("pinned", 1)["memory_limit"] == "49152Mi"
    assert SIZING.job_variables("pinned", 2)["memory_limit"] == "131072Mi"
    assert SIZING.last_class("pinned") == 2


def test_processes_have_no_size_to_go_up_to() -> None:
    processes = Sizing(config(TEXT % "process"))

    assert processes.last_class("plain") == 1
    assert processes.job_variables("plain", 1) == {}


def test_a_rate_is_learned_from_loads_that_are_more_than_their_start() -> None:
    assert learned(None, LEARN_FROM_BYTES - 1, 5) is None
    assert learned(None, LEARN_FROM_BYTES, 2) == LEARN_FROM_BYTES / 2
    assert learned(100.0, LEARN_FROM_BYTES, 1) == pytest.approx(70 + LEARN_FROM_BYTES * 0.3)
    assert learned(7.0, LEARN_FROM_BYTES, 0) == 7.0


@pytest.mark.parametrize(
    ("lane", "wrong"),
    [
        ("{pin: high-memory, cpu: 4}", "write both cpu and memory"),
        ("{pin: default, cpu: 4, memory: 1GiB}", "cpu and memory are for pin: high-memory"),
        ("{pin: huge}", "Input should be 'default', 'high-memory' or 'priority'"),
    ],
)
def test_a_wrong_pin_says_what_to_write(lane: str, wrong: str) -> None:
    with pytest.raises(ConfigError, match=wrong):
        config((TEXT % "process").replace("lane: {pin: default}", f"lane: {lane}"))
