"""What differs between a table of others and the configuration of its source is said."""

import pytest

from flows.loading.writing import differences
from schemas.config import Config
from tests.integration.flow_site import Lake, a_table

pytestmark = pytest.mark.integration

SOURCE = {"id": "s", "from": {"path": "file:///landing/s/"}, "format": "csv"}


def config(table: str, **more: object) -> Config:
    into = {"table": table, "partition": ["day(at)", "bucket(4, a)"]}
    return Config.model_validate(
        {"version": 1, "allow": ["file:///landing/"], "sources": {"s": {**SOURCE, "into": into, **more}}}
    )


def said(lake: Lake, of: Config) -> list[str]:
    return [what for _, what in differences.of_sources(lake.session, of)]


def test_a_table_of_others_is_compared_with_its_source(lake: Lake) -> None:
    table = a_table()
    lake.session.sql("CREATE NAMESPACE IF NOT EXISTS lake.flows")
    lake.session.sql(
        f"CREATE TABLE {table} (a int NOT NULL, at timestamp, n int NOT NULL) USING iceberg PARTITIONED BY (a)"
    )
    lake.session.sql(f"ALTER TABLE {table} WRITE ORDERED BY at")
    lake.session.sql(f"ALTER TABLE {table} SET TBLPROPERTIES ('history.expire.max-snapshot-age-ms'='3600000')")

    found = said(lake, config(table, schema={"columns": {"a": "bigint", "at": "timestamp"}, "required": ["n"]}))

    assert found == [
        "it is partitioned by a, into.partition says days(at), bucket(4,a)",
        "it is sorted by at ASC NULLS FIRST, so every load sorts its rows",
        "column a is int, the source gives it bigint",
        "column a must have a value, and schema.required does not name it: records without are bad",
        (
            "history.expire.max-snapshot-age-ms is 1:00:00: snapshots must stay for 6:15:00 at least,"
            " the longest that a run may go on"
        ),
    ]


def test_a_table_as_it_is_configured_differs_in_nothing(lake: Lake) -> None:
    table = a_table()
    assert said(lake, config(table)) == []
    lake.session.sql("CREATE NAMESPACE IF NOT EXISTS lake.flows")
    columns, by = "(a int, at timestamp)", "(days(at), bucket(4, a))"
    lake.session.sql(f"CREATE TABLE {table} {columns} USING iceberg PARTITIONED BY {by}")

    assert said(lake, config(table)) == []


def test_snapshots_that_were_expired_too_early_are_seen(lake: Lake) -> None:
    table = a_table()
    for text in ("a\n1\n", "a\n2\n"):
        lake.published(lake.batch(table, [lake.land("a.csv", text)]))
    lake.session.sql(f"CALL lake.system.expire_snapshots(table => '{table}', older_than => now(), retain_last => 1)")

    found = said(lake, config(table))

    assert found[-1] == "snapshots younger than 6:15:00 have been expired: a run could not tell what is loaded"
