"""Which sources take a file, and why none does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wcmatch import glob

from router.errors import Rejected
from router.rules.matching import Matcher
from schemas.config import ConfigError, parse_config
from schemas.globs import FLAGS

CONFIG = """
version: 1
allow: ["s3://landing/", "s3://part/risk/"]
sources:
  orders: {id: orders-v1, from: {path: "s3://landing/orders/", match: "**/*.csv"}, format: csv, into: {table: l.s.o}}
  top: {id: top-v1, from: {path: "s3://landing/orders/", match: "*.csv"}, format: csv, into: {table: l.s.t}}
  all: {id: all-v1, from: {path: "s3://landing/"}, format: csv, into: {table: l.s.a}}
  risk: {id: risk-v1, from: {path: "s3://part/risk/", match: "**/*.{parquet,pq}"}, format: csv, into: {table: l.s.r}}
"""
MATCHER = Matcher(parse_config(CONFIG, {}))


@pytest.mark.parametrize(
    ("uri", "sources"),
    [
        ("s3://landing/orders/2026/11/a.csv", {"orders-v1", "all-v1"}),
        ("s3://landing/orders/a.csv", {"orders-v1", "top-v1", "all-v1"}),
        ("s3://landing/orders/a.CSV", {"all-v1"}),
        ("s3://landing/orders/.a.csv", {"orders-v1", "top-v1", "all-v1"}),
        ("s3://landing/other.txt", {"all-v1"}),
        ("s3://part/risk/x/a.pq", {"risk-v1"}),
    ],
)
def test_prefix_and_glob_decide(uri: str, sources: set[str]) -> None:
    assert set(MATCHER.sources_of(uri)) == sources


@pytest.mark.parametrize(
    ("uri", "reason", "said"),
    [
        ("s3://landing/orders/../../x.csv", "bad-uri", "segment"),
        ("s3://part/riskier/a.parquet", "not-allowed", "outside every prefix of `allow`"),
        ("file:///etc/passwd", "not-allowed", "outside every prefix"),
        ("s3://landing/orders/a.csv/", "bad-uri", "name a file"),
        ("s3://part/risk/a.csv", "no-source", "the nearest is risk-v1 at s3://part/risk/"),
    ],
)
def test_a_refusal_names_its_reason(uri: str, reason: str, said: str) -> None:
    with pytest.raises(Rejected) as caught:
        MATCHER.sources_of(uri)

    assert caught.value.reason == reason
    assert said in caught.value.detail


GLOB_PARTS = [
    "**",
    "*",
    "?",
    "a",
    "b",
    "/",
    ".",
    ".csv",
    "{a,b}",
    "{a/b,c}",
    "{",
    "}",
    "[ab]",
    "[!a]",
    "[",
    "]",
    "\\\\",
    "!",
]
SEGMENTS = st.sampled_from(["a", "b", "ab", "a.csv", ".csv", ".a", "c", "[", "{", "a\\b", "..a"])


@given(
    st.lists(st.sampled_from(GLOB_PARTS), min_size=1, max_size=8).map("".join),
    st.lists(st.lists(SEGMENTS, min_size=1, max_size=4).map("/".join), min_size=1, max_size=4),
)
def test_what_is_known_of_a_folder_changes_no_answer(match: str, names: list[str]) -> None:
    text = CONFIG.replace('"**/*.csv"', "${MATCH}")
    try:
        matcher = Matcher(parse_config(text, {"MATCH": "'" + match + "'"}))
    except ConfigError:  # no file can match it
        matcher = MATCHER
        names = [name for name in names if glob.globmatch(name, match, flags=FLAGS)]

    for name in names:
        uri = f"s3://landing/orders/{name}"
        takes = glob.globmatch(name, match, flags=FLAGS)
        assert ("orders-v1" in matcher.sources_of(uri)) == takes, (match, name)
