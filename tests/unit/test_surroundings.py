"""What stands around a file that is explained."""

from dataclasses import replace
from datetime import timedelta

from router.rules.breaker import OPENS_AT, Breaker
from router.rules.explanation.known import KnownFile, Surroundings
from router.rules.explanation.surroundings import away, configured, newest, only_requested
from tests.builders import NOON, config

CONFIG = config("""
version: 1
allow: ["s3://b/"]
sources:
  plain: {id: plain-v1, from: {path: "s3://b/plain/"}, format: csv, into: {table: lake.a.plain}, batch: {min_wait: 5s}}
  asked: {id: asked-v1, from: {path: "s3://b/", trigger: requests}, format: csv, into: {table: lake.a.asked}}
  gone-v1: {id: other-v1, from: {path: "s3://b/other/"}, format: csv, into: {table: lake.a.other}}
""")
FILE = KnownFile("plain-v1", "s3://b/plain/k", "v2", 10, NOON, NOON, "t/0/5", None, None, None, None, None)
IDLE = Surroundings("plain-v1", in_flight=None, router_alive=True)
AWAY = Breaker("catalog lake", OPENS_AT, timedelta(minutes=1), "refused")


def test_a_file_is_explained_once_for_each_source_by_its_newest_version() -> None:
    older, asked = replace(FILE, version="v1"), replace(FILE, source_id="asked-v1")

    assert newest([FILE, asked, older]) == [FILE, asked]


def test_a_source_is_called_by_its_name_and_waits_as_it_is_configured() -> None:
    around = configured(IDLE, FILE, CONFIG, [AWAY])

    assert (around.source, around.min_wait) == ("plain", timedelta(seconds=5))
    assert around.slots == CONFIG.lanes.default.slots
    assert around.away == "catalog lake: refused"


def test_a_source_that_is_gone_is_not_taken_for_one_whose_name_is_its_id() -> None:
    around = configured(replace(IDLE, source="gone-v1"), replace(FILE, source_id="gone-v1"), CONFIG, [AWAY])

    assert (around.source, around.min_wait, around.away) == ("gone-v1", timedelta(0), None)


def test_a_breaker_that_has_not_opened_holds_nothing_up() -> None:
    assert away([replace(AWAY, failures=OPENS_AT - 1)], "plain-v1", "default", CONFIG) is None
    assert away([replace(AWAY, target="catalog ice")], "plain-v1", "default", CONFIG) is None


def test_a_source_that_loads_only_what_is_requested_is_named_when_no_other_takes_the_file() -> None:
    assert only_requested(["asked-v1"], CONFIG) == "asked"
    assert only_requested(["asked-v1", "plain-v1"], CONFIG) is None
