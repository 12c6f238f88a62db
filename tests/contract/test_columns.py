"""What became of a table's columns, and what was kept aside, stands in the ledger once the batch has ended."""

from collections.abc import AsyncIterator

import pytest

from router.adapters.postgres.columns import PostgresColumns
from router.adapters.postgres.database import Database
from router.rules.settlement import settle
from schemas.report import FileReport, Report, SchemaChange, SchemaColumn
from tests.builders import A_CSV, NOON, ORDERS
from tests.contract.ledgers import RealLedger
from tests.contract.scenes import is_claimed

pytestmark = pytest.mark.integration


@pytest.fixture
async def reading(database_url: str) -> AsyncIterator[PostgresColumns]:
    database = Database(database_url)
    yield PostgresColumns(database)
    await database.close()


async def test_a_load_that_changed_the_table_leaves_a_version_and_its_bad_records_are_counted(
    real_ledger: RealLedger, reading: PostgresColumns
) -> None:
    columns = (SchemaColumn(name="id", type="bigint", given=True), SchemaColumn(name="tip", type="double"))
    file = FileReport(uri=A_CSV, version="v1", outcome="loaded", rows=5, rows_bad=2, reason="2 of 7 records")
    changes = (SchemaChange(op="add", column="tip", type="double"),)
    report = Report(files=(file,), rows=5, schema_changes=changes, columns=columns)
    await is_claimed(real_ledger)
    await real_ledger.stage("b-1", 1, report)
    await real_ledger.publish("b-1", 1, report)
    ended = await real_ledger.settlement.batch_to_settle("b-1", 1)
    assert ended is not None

    await real_ledger.settlement.settle_batch(settle(ended, now=NOON, run_url=None))

    [version] = await reading.versions(ORDERS)
    [kept] = await reading.kept_aside(ORDERS, 10)
    assert (version.version, version.batch) == (1, "b-1")
    assert (tuple(version.columns), tuple(version.changes)) == (columns, changes)
    assert (kept.uri, kept.outcome, kept.rows, kept.rows_bad, kept.reason) == (A_CSV, "loaded", 5, 2, "2 of 7 records")
