"""Globs: what wcmatch takes, in time that grows with the name and the glob; and whether two can take the same file."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wcmatch import glob as wcmatch

from schemas.globs import FLAGS, GlobError, check, compiled, may_share

PARTS = ["**", "***", "*", "?", "a", "b", "/", ".", ".csv", "{a,b}", "{a/b,c}", "{", "}", "[ab]", "[!a]", "[^b]"]
PARTS += [
    "[",
    "]",
    "[a-c]",
    "[z-a]",
    "[[:alpha:]]",
    "[]",
    "[a\\]b]",
    "\\",
    "\\a",
    "\\\\",
    "!",
    "^",
    "-",
    "(",
    ")",
    "|",
    "$",
]
NAMES = ["a", "b", "ab", "aab", "abab", "a.csv", ".csv", ".a", "c", "[", "{", "a[", "a]", "a\\b", "\\", "-", "..a", "$"]
GLOBS = st.lists(st.sampled_from(PARTS), min_size=1, max_size=8).map("".join)
PATHS = st.lists(st.sampled_from(NAMES), min_size=1, max_size=4).map("/".join)


@given(GLOBS, st.lists(PATHS, min_size=1, max_size=6))
@pytest.mark.filterwarnings("ignore::FutureWarning")  # of what wcmatch compiles
def test_a_glob_takes_what_wcmatch_takes(glob: str, names: list[str]) -> None:
    pattern = compiled(glob)

    for name in names:
        assert bool(pattern.match(name)) == wcmatch.globmatch(name, glob, flags=FLAGS), name


# `re` has no steps to be counted, but how it is built bounds them: a search that may be begun anew by something
# before it is what makes one of n letters one of n², n³, ... Where a sequence has at most one repetition that can be
# given up and tried again, and this has none within, every letter is tried at most once for each part of the glob.


@given(GLOBS)
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_no_search_of_a_glob_begins_another_anew(glob: str) -> None:
    assert _retried(_parsed(compiled(glob).pattern)) <= 1


def test_a_glob_that_backtracks_would_be_found() -> None:
    for slow in ("[^/]*?a[^/]*?b", "(?:(?:[^/]+/)*?a)*b", ".*?a(?>.*?b).*?c"):
        assert _retried(_parsed(slow)) > 1


def _parsed(pattern: str) -> Any:
    return re._parser.parse(pattern)  # type: ignore[attr-defined] # no other parser is as re's own


def _retried(parsed: Any) -> int:
    """Repetitions of a sequence that can be given up and tried again; those of alternatives do not add up."""
    count = 0
    for operation, argument in parsed:
        match str(operation):
            case "MIN_REPEAT" | "MAX_REPEAT":
                _, most, body = argument
                inner = _retried(body)
                count += 1 + inner if most != 1 else inner
            case "SUBPATTERN":
                count += _retried(argument[-1])
            case "BRANCH":
                count += max(_retried(one) for one in argument[1])
            case "ATOMIC_GROUP":
                assert _retried(argument) <= 1
            case "POSSESSIVE_REPEAT":
                assert _retried(argument[-1]) == 0
    return count


def test_what_took_a_quarter_of_a_minute_is_matched() -> None:
    """Three `**` and a path of a thousand folders; and six `*` in one name."""
    deep, long = "a/" * 1000 + "b", "a" * 2000

    assert not compiled("**/a/**/a/**/a/**/c").match(deep)
    assert not compiled("*a*a*a*a*a*b").match(long)
    assert compiled("**/a/**/a/**/a/**/b").match(deep)


@pytest.mark.parametrize("glob", ["", "/a", "a/", "**/", "./a", "a/../b", "{/a,b/}"])
def test_what_no_file_can_match_is_refused(glob: str) -> None:
    with pytest.raises(GlobError, match="no file can match"):
        check(glob)


def test_braces_have_a_bound() -> None:
    with pytest.raises(GlobError, match="more than 1000 globs"):
        check("{1..2000}")


@pytest.mark.parametrize(
    ("one", "other", "shared"),
    [
        (("s3://b/", "*.csv"), ("s3://b/", "*.json"), False),
        (("s3://b/", "*.{csv,json}"), ("s3://b/", "*.json"), True),
        (("s3://b/", "**/*.csv"), ("s3://b/day/", "*.csv"), True),
        (("s3://b/", "*.csv"), ("s3://b/day/", "*.csv"), False),
        (("s3://b/", "**"), ("s3://c/", "**"), False),
        (("s3://b/", "**/x.csv"), ("s3://b/", "**/yx.csv"), False),
        (("s3://b/", "a*"), ("s3://b/", "[!a]*"), False),
        (("s3://b/", "a?c*"), ("s3://b/", "*[b-d]c"), True),
        (("s3://b/", "**/a/**"), ("s3://b/", "**/b/**"), True),
        (("s3://b/ü/", "**"), ("s3://b/", "ü/**/*.csv"), True),
    ],
)
def test_two_sources_share_a_file_when_one_can_match_both(
    one: tuple[str, str], other: tuple[str, str], shared: bool
) -> None:
    assert may_share(*one, *other) == may_share(*other, *one) == shared


@given(GLOBS, GLOBS, PATHS)
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_what_both_take_is_shared(one: str, other: str, name: str) -> None:
    if compiled(one).match(name) and compiled(other).match(name):
        assert may_share("s3://b/", one, "s3://b/", other)
