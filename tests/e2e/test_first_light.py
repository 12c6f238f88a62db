"""The path of a file through real parts."""

import json
import time
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest

from schemas.uris import version_mark
from tests.e2e.site import Site, autoloader, csv, eventually

pytestmark = pytest.mark.integration

ORDERS = "lake.sales.orders"


def test_a_landed_csv_becomes_rows_and_a_completion_event(site: Site) -> None:
    uri = site.write("orders", "2026/11/24/first light+ü%20[x].csv", csv(5, order_id=1, amount="9.50"))

    site.announce(uri)

    data = site.completion(uri)
    assert (data["outcome"], data["counts"]["rows"], data["table"]) == ("loaded", 5, ORDERS)
    assert data["run"]["prefect_run"] in data["run"]["url"]
    assert site.rows(ORDERS, uri) == 5


def test_json_lines_and_parquet_are_loaded_too(site: Site, tmp_path: Path) -> None:
    lines = site.write("visits", "a.json", "".join(json.dumps({"page": n, "ms": 1.5}) + "\n" for n in range(7)))
    pyarrow.parquet.write_table(pa.table({"part": [1, 2, 3], "name": ["a", "b", None]}), tmp_path / "p.parquet")
    parquet = site.write("parts", "p.parquet", (tmp_path / "p.parquet").read_bytes())

    site.announce(lines, parquet)

    assert site.completion(lines)["counts"]["rows"] == 7
    assert site.completion(parquet)["counts"]["rows"] == 3
    assert site.rows("lake.web.visits", lines) == 7
    assert site.rows("lake.shop.parts", parquet) == 3


def test_a_file_announced_fifty_times_and_landed_again_is_loaded_once(site: Site) -> None:
    content, modified = csv(3, order_id=2, amount=1), time.time() - 60
    uri = site.write("orders", "fifty.csv", content, modified=modified)

    site.announce(uri, times=50)
    site.completion(uri)
    site.write("orders", "fifty.csv", content, modified=modified)
    site.announce(uri)
    after = site.write("orders", "after-fifty.csv", csv(1, order_id=3, amount=1))
    site.announce(after)
    site.completion(after)

    assert len(site.completions(uri)) == 1
    assert site.rows(ORDERS, uri) == 3
    assert len(site.ledger("SELECT 1 FROM file WHERE uri = %s", uri)) == 1


def test_an_overwritten_file_is_a_new_version(site: Site) -> None:
    uri = site.write("orders", "overwritten.csv", csv(2, order_id=4, amount=1), modified=time.time() - 60)
    site.announce(uri)
    site.completion(uri)

    site.write("orders", "overwritten.csv", csv(4, order_id=5, amount=1))
    site.announce(uri)

    assert site.completion(uri, nth=2)["counts"]["rows"] == 4
    assert site.rows(ORDERS, uri) == 6


def test_a_notification_of_a_storage_system_is_read_from_its_topic(site: Site) -> None:
    uri = site.write("orders", "notified.csv", csv(2, order_id=6, amount=1))

    site.send([_cloudevent(uri, size=7)], topic="storage.events")

    assert site.completion(uri)["counts"]["rows"] == 2


def test_an_announced_object_that_is_not_there_is_missing(site: Site) -> None:
    gone = f"file://{site.landing}/orders/never-there.csv"

    site.announce(gone)
    for misses in (1, 2, 3):
        eventually(partial(_was_missed, site, gone, misses), f"miss {misses} in the ledger")

    assert eventually(lambda: site.file(gone), "the missing file in the ledger")["outcome"] == "missing"
    letters = eventually(
        lambda: [letter for letter in site.dead_letters() if gone in letter["detail"]], "a dead letter of it"
    )
    assert [one["reason"] for one in letters] == ["missing-object"]


def _was_missed(site: Site, uri: str, misses: int) -> bool:
    """Once it was, the time until the next look passes at once."""
    query = "UPDATE arrival SET due = now() WHERE uri = %s AND misses >= %s RETURNING misses"
    return bool(site.ledger(query, uri, misses))


def test_a_file_that_comes_after_its_event_is_loaded(site: Site) -> None:
    uri = f"file://{site.landing}/orders/late.csv"
    site.announce(uri)
    eventually(lambda: site.ledger("SELECT 1 FROM arrival WHERE uri = %s AND misses = 1", uri), "a first miss")

    site.write("orders", "late.csv", csv(1, order_id=7, amount=1))

    assert site.completion(uri)["counts"]["rows"] == 1


def test_a_file_that_grows_after_its_event_is_loaded_whole(site: Site) -> None:
    """Nobody tells of the rest: the load finds another version, and what is there is looked at."""
    autoloader(site, "pause", "orders")
    uri = site.write("orders", "growing.csv", csv(50, order_id=9, amount=1))
    site.announce(uri)
    eventually(lambda: site.ledger("SELECT 1 FROM file WHERE uri = %s", uri), "the first half, recorded")
    site.write("orders", "growing.csv", csv(100, order_id=9, amount=1))
    autoloader(site, "resume", "orders")

    assert [row["rows"] for row in eventually(lambda: _loaded(site, uri), "the file, loaded")] == [100]
    assert site.rows(ORDERS, uri) == 100


def test_a_file_whose_event_told_another_etag_is_loaded(site: Site) -> None:
    uri = site.write("orders", "another-etag.csv", csv(1, order_id=8, amount=1))

    site.send([_cloudevent(uri, size=20, etag="time-d7x7np2kvchs-ino-5v")], topic="storage.events")

    assert [row["rows"] for row in eventually(lambda: _loaded(site, uri), "the file, loaded")] == [1]
    assert site.rows(ORDERS, uri) == 1


def _loaded(site: Site, uri: str) -> list[dict[str, Any]]:
    return site.ledger("SELECT rows FROM file WHERE uri = %s AND outcome = 'loaded'", uri)


@pytest.mark.parametrize(
    ("value", "topic", "reason"),
    [
        (b"{", "ingestion.file-arrivals", "not-json"),
        (None, "ingestion.file-arrivals", "null-value"),
        (b'{"a":"' + b"x" * 2 * 1024 * 1024 + b'"}', "ingestion.file-arrivals", "too-large"),
        (b'{"specversion":"1.0","id":"1"}', "ingestion.file-arrivals", "missing-field"),
        (b'{"Records":[{"eventVersion":"2.1"}]}', "storage.events", "missing-field"),
        ("file:///etc/passwd", "ingestion.file-arrivals", "not-allowed"),
        ("file:///etc/passwd", "strict.events", "not-allowed"),
        ("{landing}/orders/../../secret.csv", "ingestion.file-arrivals", "bad-uri"),
        ("{landing}/orders/readme.txt", "ingestion.file-arrivals", "no-source"),
    ],
)
def test_bad_input_ends_in_the_dead_letters_and_stops_nothing(
    site: Site, value: bytes | str | None, topic: str, reason: str
) -> None:
    before = len([letter for letter in site.dead_letters() if letter["topic"] == topic and letter["reason"] == reason])
    raw = _cloudevent(value.format(landing=f"file://{site.landing}")) if isinstance(value, str) else value

    site.send([raw], topic)

    def letters() -> list[Any]:
        found = [letter for letter in site.dead_letters() if letter["topic"] == topic and letter["reason"] == reason]
        return found[before:]

    letter = eventually(letters, f"a dead letter {reason}")[0]
    assert letter["detail"]
    assert letter["offset"] >= 0


def test_what_matches_no_source_on_a_storage_s_topic_is_only_counted(site: Site) -> None:
    before = len(site.dead_letters())
    uri = site.write("orders", "after-unmatched.csv", csv(1, order_id=7, amount=1))

    site.send([_cloudevent("file:///etc/passwd"), _cloudevent(uri)], topic="storage.events")

    site.completion(uri)
    assert len(site.dead_letters()) == before


def test_a_table_that_cannot_be_written_is_named_in_the_completion(site: Site) -> None:
    uri = site.write("unwritable", "a.csv", csv(1, order_id=1))

    site.announce(uri)

    data = site.completion(uri)
    assert data["outcome"] == "failed"
    assert "nowhere" in data["reason"]
    assert data["files"][0]["outcome"] == "failed"


def test_a_value_that_fits_no_column_sets_its_file_aside_and_the_next_one_is_loaded(site: Site) -> None:
    bad = site.write("orders", "bad-value.csv", csv(2, order_id="red", amount=1))
    site.announce(bad)

    data = site.completion(bad)
    good = site.write("orders", "good-value.csv", csv(2, order_id=9, amount=1))
    site.announce(good)

    assert "'red' is not a value of bigint" in f"{data['reason']}"
    assert site.rows(ORDERS, bad) == 0
    assert site.completion(good)["outcome"] == "loaded"


def test_versions_of_local_files_are_their_time_and_size(site: Site) -> None:
    uri = site.write("orders", "mark.csv", csv(1, order_id=10, amount=1))
    status = Path(uri.removeprefix("file://")).stat()

    site.announce(uri)
    site.completion(uri)

    known = site.file(uri)
    assert known is not None
    assert known["version"] == version_mark(
        etag=None, size=status.st_size, modified_seconds=status.st_mtime_ns // 1000 / 1e6
    )


def _cloudevent(uri: str, **data: object) -> bytes:
    event = {
        "specversion": "1.0",
        "id": "1",
        "source": "/tests",
        "type": "autoloader.file.landed.v1",
        "data": {"uri": uri, **data},
    }
    return json.dumps(event).encode()
