"""Whether what waits is still its source's."""

import pytest

from router.rules.belonging import Belonging
from router.rules.matching import Matcher
from tests.builders import A_CSV, CONFIG_TEXT, ORDERS, config


def belonging(text: str = CONFIG_TEXT) -> Belonging:
    parsed = config(text)
    return Belonging(parsed, Matcher(parsed))


def test_a_file_of_its_source_is_not_refused() -> None:
    assert belonging().refusal(ORDERS, A_CSV) is None


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ('allow: ["s3://landing/"]', 'allow: ["s3://landing/other/", "s3://new/"]', "outside every prefix of `allow`"),
        ('path: "s3://landing/orders/"', 'path: "s3://landing/bills/"', "`path` and `match` of orders"),
        (
            'path: "s3://landing/orders/", match: "**/*.csv"',
            'path: "s3://landing/orders/", match: "**/*.json"',
            "`path` and `match` of orders",
        ),
    ],
)
def test_a_file_that_its_source_takes_no_more_is_refused_in_words(before: str, after: str, said: str) -> None:
    changed = CONFIG_TEXT.replace(before, after)
    if "allow" in before:
        changed = changed.replace('path: "s3://landing/', 'path: "s3://new/')

    refusal = belonging(changed).refusal(ORDERS, A_CSV)

    assert refusal is not None
    assert refusal.startswith("not-configured-any-more: ")
    assert said in refusal


def test_a_source_that_is_gone_is_not_known() -> None:
    assert belonging().knows(ORDERS)
    assert not belonging().knows("orders-v0")


@pytest.mark.parametrize(
    "uri",
    ["s3://landing/orders/a.txt", "s3://landing/other/a.csv", "s3://landing/orders/folder/", "s3://landing/a\nb.csv"],
)
def test_a_listing_takes_only_files_of_the_source(uri: str) -> None:
    assert belonging().refusal(ORDERS, uri) is not None
