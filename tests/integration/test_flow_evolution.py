"""Each row of docs/schema-evolution.md, loaded."""

import pytest

from tests.evolution import CHANGES, Change
from tests.integration.flow_site import Lake, a_table, outcomes

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("change", CHANGES, ids=[one.title for one in CHANGES])
def test_a_table_becomes_what_the_document_says(lake: Lake, change: Change) -> None:
    table = a_table()
    lake.session.sql("CREATE NAMESPACE IF NOT EXISTS lake.flows").collect()
    ours = "_file_uri STRING, _batch_id STRING, _loaded_at TIMESTAMP"
    lake.session.sql(f"CREATE TABLE {table} ({change.table}, {ours}) USING iceberg").collect()
    file = lake.land(f"a.{change.format}", change.content())

    report = lake.published(lake.batch(table, [file], {change.format: {}}))

    said = change.outcome("add-columns")
    assert outcomes(report)[file.name] == (("quarantined", 0) if said in {"set aside", "bad record"} else ("loaded", 1))
    done = [
        f"`{one.column}` {'is added' if one.op == 'add' else f'becomes {one.type}'}" for one in report.schema_changes
    ]
    assert (", ".join(done) or "loaded") == (said if done else "loaded")
