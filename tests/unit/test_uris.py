"""What a URI of ours is, and what makes two versions different."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.rules.identity import object_key
from schemas.uris import MAX_URI_BYTES, UriError, _checked_carefully, checked_uri, is_plain, is_plain_name, version_mark


@pytest.mark.parametrize(
    "uri",
    [
        "s3://b/k",
        "s3://b/a b+c%20d/ü#?[x].csv",
        "s3://b/folder/",
        "file:///",
        "file:///tmp/a.csv",
        "s3://b/...csv",
        "s3://b/",
    ],
)
def test_a_key_may_hold_anything_that_can_be_read_again(uri: str) -> None:
    assert checked_uri(uri) == uri


@pytest.mark.parametrize(
    ("uri", "why"),
    [
        ("k", "does not begin with"),
        ("http://b/k", "does not begin with"),
        ("S3://b/k", "does not begin with"),
        ("s3:///k", "names no bucket"),
        ("file://host/k", "three slashes"),
        ("s3://b/a/../k", "'..' segment"),
        ("file:///landing/../etc/passwd", "'..' segment"),
        ("s3://b/a//k", "empty"),
        ("s3://b/./k", "segment"),
        ("s3://b/\x00", "control character"),
        ("s3://b/\n", "control character"),
        ("s3://b/\ud800", "half a character"),
        ("s3://b/" + "k" * 2048, "longer than"),
    ],
)
def test_what_cannot_be_read_or_leaves_its_folder_is_refused(uri: str, why: str) -> None:
    with pytest.raises(UriError, match=why):
        checked_uri(uri)


PIECES = ["s3:", "file:", "//", "/", ".", "..", "a", "ü", "\x00", "\x80", "\u2028", "\ud800", " ", "%2F", "k" * 1020]


@given(st.lists(st.sampled_from(PIECES), max_size=6).map("".join), st.sampled_from(["", "s3://", "s3://b/"]))
def test_a_quick_look_passes_nothing_that_a_careful_one_refuses(rest: str, begin: str) -> None:
    uri = begin + rest
    if is_plain(uri):
        assert _checked_carefully(uri) == uri


@given(st.lists(st.sampled_from([piece for piece in PIECES if "/" not in piece]), max_size=3).map("".join))
def test_a_plain_name_in_a_plain_folder_is_plain(name: str) -> None:
    folder = "s3://b/day/"

    assert is_plain(folder + "x")
    assert is_plain_name(name) <= (is_plain(folder + name) or len(folder + name) > MAX_URI_BYTES)


def test_the_uris_of_every_day_need_a_quick_look_only() -> None:
    assert is_plain("s3://landing/orders/2026/11/24/part-0001 (copy)+1.csv")
    assert not is_plain("file:///landing/a.csv")


def test_etags_lose_their_quotes_and_weak_marks() -> None:
    assert version_mark(etag='"9b1f-2"', size=1, modified_seconds=0) == "9b1f-2"
    assert version_mark(etag='W/"9b1f"', size=1, modified_seconds=0) == "9b1f"


def test_without_an_etag_time_and_size_are_the_version() -> None:
    assert version_mark(etag=None, size=7, modified_seconds=1.5) == "1500000-7"


@given(st.text(), st.text())
def test_keys_of_one_folder_share_their_first_four_bytes(one: str, other: str) -> None:
    first, second = (object_key(f"s3://b/day/{name.replace('/', '')}") for name in (one, other))

    assert len(first) == 16
    assert first[:4] == second[:4]
    assert (first == second) == (one.replace("/", "") == other.replace("/", ""))
