"""kill -9 of each part while files land and load: every row is there once, and every file has its completion event."""

from uuid import uuid4

import pytest

from dev.stack import Stack
from tests.e2e.site import Site, csv, eventually

pytestmark = pytest.mark.integration

ORDERS = "lake.sales.orders"
FILES, ROWS = 12, 7


@pytest.mark.parametrize("part", ["router", "kafka", "prefect", "worker-default", "spark-connect"])
def test_a_part_that_is_killed_while_files_load_costs_nothing_but_time(stack: Stack, site: Site, part: str) -> None:
    folder = f"killed-{part}-{uuid4().hex[:8]}"
    uris = [site.write("orders", f"{folder}/{n}.csv", csv(ROWS, order_id=n, amount=1)) for n in range(FILES)]
    site.announce(*uris[: FILES // 2])
    eventually(lambda: _claimed(site, folder), "a run works on the first files")

    stack.kill(part)
    if part != "kafka":
        site.announce(*uris[FILES // 2 :])
    stack.start(part)
    if part == "kafka":
        site.announce(*uris[FILES // 2 :])

    eventually(lambda: _all_ended(site, folder), f"all files of {folder} have ended", seconds=240)
    assert {row["outcome"] for row in _files(site, folder)} == {"loaded"}
    rows = site.rows_by_file(ORDERS)
    assert [rows.get(uri) for uri in uris] == [ROWS] * FILES
    eventually(lambda: not site.ledger("SELECT 1 FROM outbox"), "all events are published")
    named = site.completions_by_file()
    assert [len(named[uri]) for uri in uris] == [1] * FILES


def _files(site: Site, folder: str) -> list[dict[str, object]]:
    return site.ledger("SELECT * FROM file WHERE uri LIKE %s", f"%/{folder}/%")


def _claimed(site: Site, folder: str) -> bool:
    query = "SELECT 1 FROM file JOIN attempt USING (batch_id) WHERE uri LIKE %s AND claimed_by IS NOT NULL"
    return bool(site.ledger(query, f"%/{folder}/%"))


def _all_ended(site: Site, folder: str) -> bool:
    files = _files(site, folder)
    return len(files) == FILES and all(file["outcome"] for file in files)
