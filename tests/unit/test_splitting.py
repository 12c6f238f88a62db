"""How a batch is split: no file is lost, none is in both halves, and the same files make the same halves."""

import json
from dataclasses import replace
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from router.rules.settlement import BatchContext, EndedBatch, RequestInBatch
from router.rules.splitting import Split, split
from schemas.manifest import ManifestFile
from schemas.report import Closed
from tests.builders import NOON, after, closed, manifest, report

FILES = [ManifestFile(uri=f"s3://landing/orders/{name}.csv", version="v1", size=10) for name in "abcde"]


def ended(closed: Closed, files: list[ManifestFile] = FILES, *, given_up: bool = False) -> EndedBatch:
    return EndedBatch(
        id="b-1",
        n=4,
        lane="default",
        manifest=manifest(),
        files=files,
        landed=NOON,
        last_landed=after(1),
        estimate=50,
        cut=after(1),
        submitted=after(2),
        claimed=after(3),
        reported=after(4),
        run_id="run-1",
        report=closed,
        given_up=given_up,
    )


def halves(batch: EndedBatch) -> Split:
    found = split(batch, now=NOON, run_url=None)
    assert found is not None
    return found


@given(
    st.lists(st.tuples(st.text(max_size=3), st.text(max_size=2)), min_size=2, max_size=50, unique=True), st.randoms()
)
def test_every_file_is_in_one_half_whatever_their_order_is(names: list[tuple[str, str]], chance: Random) -> None:
    files = [ManifestFile(uri=uri, version=version, size=1) for uri, version in names]

    first, second = halves(ended(closed(split=True), files)).halves
    chance.shuffle(files)
    again = halves(ended(closed(split=True), files))

    assert sorted((file.uri, file.version) for file in (*first.files, *second.files)) == sorted(names)
    assert abs(len(first.files) - len(second.files)) <= 1
    assert again.halves == (first, second)


def test_the_event_of_a_split_counts_no_file_and_names_the_halves() -> None:
    batch = ended(closed("the run crashed", split=True))
    asked = BatchContext(
        requests=[RequestInBatch("r-1", files_done=2, files_here=5, files_total=7)], oldest_open=after(60)
    )

    found = halves(replace(batch, context=asked))

    event = json.loads(found.event.value)
    data = event["data"]
    assert (event["id"], event["type"]) == ("b-1/4/split", "autoloader.batch.split.v1")
    assert (data["outcome"], data["reason"], data["files"]) == ("split", "the run crashed", [])
    assert set(data["counts"].values()) == {0}
    assert data["split_into"] == ["b-1-1", "b-1-2"]
    assert data["complete_through"] == "2026-11-24T12:00:00Z"
    assert [(one["state"], one["files_done"]) for one in data["requests"]] == [("open", 2)]


def test_files_end_with_their_batch_where_it_is_not_split() -> None:
    not_split = [
        ended(closed()),
        ended(closed(split=True), given_up=True),
        ended(closed(split=True), FILES[:1]),
        replace(ended(closed()), report=report()),
    ]

    assert [split(batch, now=NOON, run_url=None) for batch in not_split] == [None] * 4
