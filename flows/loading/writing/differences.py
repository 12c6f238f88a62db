"""How a table that somebody else made differs from what its source is configured to have. The table counts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from flows.loading.reading.frames import data_fields
from flows.loading.reading.types import ddl, hinted
from flows.loading.translation import named_errors
from flows.loading.writing import history, tables
from flows.loading.writing.tables import Table
from schemas.config.lanes import LANES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pyspark.sql import SparkSession
    from pyspark.sql.types import StructType

    from flows.loading.writing.history import History
    from schemas.config import Config
    from schemas.config.sources import SourceConfig

_AGE, _DEFAULT_AGE = "history.expire.max-snapshot-age-ms", str(5 * 24 * 3600 * 1000)  # Iceberg's own
_PLURAL = re.compile(r"^(year|month|day|hour)\(")


@dataclass(frozen=True, slots=True)
class Described:
    """A table as its catalog tells it: `partition` as its transforms are written, `sorted_by` likewise."""

    columns: StructType
    partition: tuple[str, ...]
    sorted_by: str
    properties: Mapping[str, str]
    history: History


def of_sources(session: SparkSession, config: Config) -> Iterator[tuple[str, str]]:
    """What differs, table by table, with the table's name. Raises as `tables.exists` does."""
    needed = config.start_deadline + max(config.lanes.of(lane).longest_run for lane in LANES)
    for source in config.sources.values():
        table = Table.named(source.into.table)
        if (there := _described(session, table)) is not None:
            for what in _told(session, there, source, needed):
                yield table.name, what


def _described(session: SparkSession, table: Table) -> Described | None:
    """Ask the catalog; None where there is no table. Raises as `tables.exists` does."""
    if not tables.exists(session, table):
        return None
    with named_errors():
        properties = {row[0]: row[1] for row in session.sql(f"SHOW TBLPROPERTIES {table.name}").collect()}
        rows = [(row[0], row[1]) for row in session.sql(f"DESCRIBE TABLE {table.name}").collect()]
    columns, order = tables.columns(session, table), properties.get("sort-order", "")
    return Described(columns, _partition(rows), order, properties, history.read(session, table))


def _partition(rows: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    """From `DESCRIBE`: names below a heading where all are columns, else the transforms of `Part 0` and so on."""
    if (heading := next((at for at, row in enumerate(rows) if row[0] == "# Partition Information"), None)) is not None:
        return tuple(name for name, _ in rows[heading + 1 :] if name and not name.startswith("#"))
    return tuple(transform for name, transform in rows if name.startswith("Part ") and name[5:].isdigit())


def _told(session: SparkSession, there: Described, source: SourceConfig, needed: timedelta) -> Iterator[str]:
    """Say each difference, and if snapshots do not stay for as long as is `needed` to load each batch once."""
    wanted = tuple(map(_plain, source.into.partition))
    if (found := tuple(map(_plain, there.partition))) != wanted:
        yield f"it is partitioned by {_listed(found)}, into.partition says {_listed(wanted)}"
    if there.sorted_by:
        yield f"it is sorted by {there.sorted_by}, so every load sorts its rows"
    types = {one.name.lower(): one.dataType for one in there.columns.fields}
    for name, kind in hinted(session, source.columns.given).items():
        if name in types and ddl(types[name]) != ddl(kind):
            yield f"column {name} is {ddl(types[name])}, the source gives it {ddl(kind)}"
    required = {name.lower() for name in source.columns.required}
    for one in data_fields(there.columns):
        if not one.nullable and one.name.lower() not in required:
            yield f"column {one.name} must have a value, and schema.required does not name it: records without are bad"
    yield from _expiring(there, needed)


def _expiring(there: Described, needed: timedelta) -> Iterator[str]:
    age = timedelta(milliseconds=int(there.properties.get(_AGE, _DEFAULT_AGE)))
    if age < needed:
        yield f"{_AGE} is {age}: snapshots must stay for {needed} at least, the longest that a run may go on"
    oldest = [*there.history.ancestors()][-1:]
    if there.history.cut_off and oldest and datetime.now(UTC) - oldest[0].committed_at < needed:
        yield f"snapshots younger than {needed} have been expired: a run could not tell what is loaded"


def _plain(transform: str) -> str:
    return _PLURAL.sub(r"\1s(", transform.lower().replace(" ", "").replace("`", ""))


def _listed(transforms: Sequence[str]) -> str:
    return ", ".join(transforms) or "nothing"
