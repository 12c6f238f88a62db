"""A commit that the catalog has made, and whose answer nobody has heard."""

from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from pyspark.sql import SparkSession

from flows.loading.errors import Infrastructure
from flows.loading.writing import append, history
from flows.loading.writing.tables import Table
from schemas.report import Report
from tests.integration.flow_site import Lake, a_table
from tests.lakes import LINES, REST, S3
from tests.servers.line import Line, line
from tests.servers.tools import HAS_GO

pytestmark = [pytest.mark.integration, HAS_GO]

COMMITS = {"frail_s3": "UPDATE iceberg_tables", "frail_rest": "POST /v1/namespaces/flows/tables/{} "}


@pytest.fixture(params=LINES)
def frail(request: pytest.FixtureRequest, lake: Lake, rest_catalog: str) -> Iterator[tuple[Lake, Line]]:
    """A lake, and the line to its catalog."""
    catalog = urlsplit(f"http://{REST}" if request.param == "frail_rest" else lake.settings["DATABASE_URL"])
    with line(LINES[request.param], (str(catalog.hostname), int(catalog.port or 0))) as to_catalog:
        yield replace(lake, settings={**lake.settings, **S3}, catalog=request.param), to_catalog


def a_batch(lake: Lake, table: str) -> str:
    return lake.batch(table, [lake.land("a.csv", "a\n1\n")])


def loaded(lake: Lake, batch: str, after: str, lose: "Lost") -> Report:
    """By this attempt, or by the next."""
    try:
        return lake.published(batch, watch=lambda step: lose() if step == after else None)
    except Infrastructure:
        lake.attempt(batch, 2)
        return lake.published(batch, 2)


class Lost:
    """The answer to the next commit, after which another batch is loaded into the table; perhaps also one before."""

    def __init__(self, lake: Lake, to_catalog: Line, table: str, overtaken: bool) -> None:
        self.batches: list[str] = []
        self._lake, self._line, self._table, self._overtaken = lake, to_catalog, Table.named(table), overtaken

    def __call__(self) -> None:
        if self._overtaken:
            self._load()
        commit = COMMITS[self._lake.catalog].format(self._table.name.rpartition(".")[2])
        self._line.lose_the_answer_to(commit.encode(), self._load)

    def _load(self) -> None:
        batch = f"b-{uuid4().hex[:12]}"
        self.batches.append(batch)
        session = SparkSession.builder.remote(self._lake.settings["SPARK_CONNECT_URL"]).create()
        session.client.disable_reattachable_execute()  # see flows.loading.session
        began = history.read(session, self._table)
        frame = session.sql(f"SELECT 1 AS a, 'file:///{batch}.csv' AS _file_uri")
        staged = append.stage(session, self._table, frame, batch)
        append.publish(session, self._table, staged, batch, began.head)
        session.stop()


@pytest.mark.parametrize("overtaken", [False, True], ids=["fast-forward", "over another"])
@pytest.mark.parametrize("after", ["read", "record"], ids=["stage", "publish"])
def test_a_batch_is_in_the_table_once_and_so_are_others(frail: tuple[Lake, Line], after: str, overtaken: bool) -> None:
    lake, to_catalog = frail
    table = a_table(lake.catalog)
    lake.published(a_batch(lake, table))
    batch, lose = a_batch(lake, table), Lost(lake, to_catalog, table, overtaken)

    report = loaded(lake, batch, after, lose)

    assert to_catalog.lost == 1
    assert report.rows == 1
    assert [lake.count(table, one) for one in (batch, *lose.batches)] == [1] * (1 + len(lose.batches))
