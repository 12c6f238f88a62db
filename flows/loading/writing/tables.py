"""The table a batch is loaded into: looked at, made when missing, fitted with our columns.

Our columns: `_file_uri` (exactly as the ledger spells it), `_batch_id`, `_loaded_at`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flows.loading.errors import Denied, Infrastructure, LoadError, Outrun, Rejected, Unheard
from flows.loading.reading.types import ddl, quoted
from flows.loading.translation import named_errors
from schemas.report import SchemaChange

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pyspark.sql import SparkSession
    from pyspark.sql.types import DataType, StructField, StructType

OURS = {"_file_uri": "string", "_batch_id": "string", "_loaded_at": "timestamp"}
RESCUED = "_rescued"  # of sources with schema.mode rescue: what had no place in the table, as JSON
_NAME = re.compile(
    r"(?P<catalog>[a-z_]\w*)\.(?P<namespace>[a-z_]\w*(\.[a-z_]\w*)*)\.[a-z_]\w*", re.ASCII | re.IGNORECASE
)
_PARTITION = re.compile(r"\w+(\((\d+,\s*)?\w+\))?", re.ASCII)
_TRIES = 3
# Each commit writes the table's metadata anew, with all its snapshots. Iceberg keeps these files for ever, unless told
# to delete them: then it keeps the last 100. What happened is in the newest; the others are for nobody.
_FORGETS = {"write.metadata.delete-after-commit.enabled": "true"}
_STAGES = {"write.wap.enabled": "true"}


@dataclass(frozen=True, slots=True)
class Table:
    """A full name, of word characters only because it stands in SQL text, and always with its catalog."""

    name: str
    catalog: str
    namespace: str

    @classmethod
    def named(cls, name: str) -> Table:
        """Raises Rejected when it is not `catalog.namespace.table`."""
        found = _NAME.fullmatch(name)
        if found is None:
            raise Rejected(f"{name[:100]!a} is not a table's name; write catalog.namespace.table")
        return cls(name, found["catalog"], found["namespace"])


@dataclass(frozen=True, slots=True)
class There:
    """A table that is fit for loading: its columns, ours too; the head of main, None before there is one.

    `changes` made it so.
    """

    columns: StructType
    head: int | None
    changes: tuple[SchemaChange, ...]


def look(session: SparkSession, table: Table) -> There | None:
    """The table, made fit for loading; None when it is not there. Raises as `exists` and `fit_for_loading` do."""
    try:
        return fit_for_loading(session, table)
    except LoadError as error:
        is_away = isinstance(error, Infrastructure) and not isinstance(error, Denied) and error.target is not None
        if is_away or exists(session, table):
            raise
        return None


def exists(session: SparkSession, table: Table) -> bool:
    """Whether there is such a table.

    Raises:
        Rejected: the name is a view's.
        Denied: Spark has no such catalog.
    """
    with named_errors():
        if session.conf.get(f"spark.sql.catalog.{table.catalog}", None) is None:
            raise Denied(
                f"{table.name}: Spark has no catalog {table.catalog!r}; set spark.sql.catalog.{table.catalog} for it",
                target="catalog",
            )
        if session.catalog.tableExists(table.name):
            return True
        if _is_view(session, table):
            raise Rejected(f"{table.name} is a view; name another table, or drop the view")
        return False


def columns(session: SparkSession, table: Table) -> StructType:
    """Read all columns of a table, ours too."""
    with named_errors():
        return session.table(table.name).schema


def fit_for_loading(session: SparkSession, table: Table) -> There:
    """Make an existing table stage writes and forget old metadata, and give it our columns.

    Raises:
        Rejected: it is not an Iceberg table.
    """
    with named_errors():
        properties = {row[0]: row[1] for row in session.sql(f"SHOW TBLPROPERTIES {table.name}").collect()}
    if not properties.get("format", "").startswith("iceberg/"):
        raise Rejected(f"{table.name} is not an Iceberg table; name another table")
    if wanted := _wanted(properties):
        _alter(session, table, f"SET TBLPROPERTIES ({_listed(wanted)})")
    there, head = columns(session, table), properties.get("current-snapshot-id", "none")
    changes = _with_our_columns(session, table, there)
    known = columns(session, table) if changes else there
    return There(known, None if head == "none" else int(head), changes)


def create(
    session: SparkSession, table: Table, fields: Sequence[StructField], partition: Iterable[str]
) -> tuple[SchemaChange, ...]:
    """Make the table with these columns and ours, and say which; none if another load made it first.

    Raises:
        Rejected: the catalog refuses it: a partition by an unknown column, no permission.
    """
    transforms = list(partition)
    if wrong := [text for text in transforms if not _PARTITION.fullmatch(text)]:
        raise Rejected(f"{table.name}: cannot partition by {wrong[0]!r}; write a column or e.g. days(ordered_at)")
    listed = [f"{quoted(field.name)} {ddl(field.dataType)}" for field in fields]
    listed += [f"{name} {kind}" for name, kind in OURS.items()]
    by = f" PARTITIONED BY ({', '.join(transforms)})" if transforms else ""
    try:
        _create_namespace(session, table)
        with named_errors():  # without IF NOT EXISTS: whoever made it says so, and nobody else
            session.sql(
                f"CREATE TABLE {table.name} ({', '.join(listed)}) USING iceberg{by} "
                f"TBLPROPERTIES ({_listed({'format-version': '2', **_STAGES, **_FORGETS})})"
            ).collect()
    except LoadError as error:
        if exists(session, table):
            return ()  # another load made it in between
        if isinstance(error, Rejected):
            raise Rejected(f"{table.name} cannot be made: {error}") from error
        raise
    return tuple(SchemaChange(op="create", column=field.name, type=ddl(field.dataType)) for field in fields)


def evolve(
    session: SparkSession,
    table: Table,
    add: Mapping[tuple[str, ...], DataType],
    widen: Mapping[tuple[str, ...], DataType],
) -> None:
    """Add columns or fields and widen types, by their path.

    Raises:
        Outrun: the catalog refuses it: another load may have changed these columns, so look at the table again.
    """
    try:
        if add:
            listed = ", ".join(f"{_path(path)} {ddl(kind)}" for path, kind in add.items())
            _alter(session, table, f"ADD COLUMNS ({listed})")
        for path, kind in widen.items():
            _alter(session, table, f"ALTER COLUMN {_path(path)} TYPE {ddl(kind)}")
    except Rejected as error:
        raise Outrun(str(error)) from error


def _path(path: tuple[str, ...]) -> str:
    return ".".join(map(quoted, path))


def _create_namespace(session: SparkSession, table: Table) -> None:
    """Fine if another load makes it at the same moment, of which a JDBC catalog says that a key is there twice."""
    name = f"{table.catalog}.{table.namespace}"
    try:
        with named_errors():
            session.sql(f"CREATE NAMESPACE IF NOT EXISTS {name}").collect()
    except LoadError:
        if not session.catalog.databaseExists(name):
            raise


def _is_view(session: SparkSession, table: Table) -> bool:
    if not session.catalog.databaseExists(f"{table.catalog}.{table.namespace}"):
        return False
    views = session.sql(f"SHOW VIEWS IN {table.catalog}.{table.namespace}").collect()
    return table.name.rpartition(".")[2] in {row["viewName"] for row in views}


def _wanted(properties: Mapping[str, str]) -> dict[str, str]:
    """What has to be set. Whoever set on purpose how much metadata is kept is not overruled."""
    staging = {} if _STAGES.items() <= properties.items() else _STAGES
    return staging | {name: value for name, value in _FORGETS.items() if name not in properties}


def _listed(properties: Mapping[str, str]) -> str:
    return ", ".join(f"'{name}' = '{value}'" for name, value in properties.items())


def _with_our_columns(session: SparkSession, table: Table, there: StructType) -> tuple[SchemaChange, ...]:
    missing = _missing(there)
    if missing:
        try:
            _alter(session, table, f"ADD COLUMNS ({', '.join(f'{name} {kind}' for name, kind in missing.items())})")
        except Rejected:
            if _missing(columns(session, table)):
                raise  # else another load added them in between
    return tuple(SchemaChange(op="add", column=name, type=kind) for name, kind in missing.items())


def _missing(there: StructType) -> dict[str, str]:
    names = {field.name.lower() for field in there.fields}
    return {name: kind for name, kind in OURS.items() if name not in names}


def _alter(session: SparkSession, table: Table, change: str) -> None:
    for tries_left in reversed(range(_TRIES)):
        try:
            with named_errors():
                session.sql(f"ALTER TABLE {table.name} {change}").collect()
        except (Outrun, Unheard):
            if not tries_left:
                raise
        else:
            return
