"""The settings of Spark that decide what a file means and how it is read: the same whatever its server was given.

A server's `spark-defaults.conf` can make Spark pass over half of a broken file, shift instants by hours, or take a
column for the place of broken records. So a session is looked at, what differs is set, and it is looked at again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from flows.loading.errors import Denied, Infrastructure
from flows.loading.translation import named_errors, translated

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyspark.sql import SparkSession
    from pyspark.sql.connect.client import SparkConnectClient

_SQL = {
    # what is read at all, and under which name
    "files.ignoreCorruptFiles": "false",
    "files.ignoreMissingFiles": "false",
    "caseSensitive": "false",
    "columnNameOfCorruptRecord": "_corrupt_record",
    "sources.useV1SourceList": "avro,csv,json,kafka,orc,parquet,text",  # the others have no `_metadata`
    "sources.parallelPartitionDiscovery.threshold": "10000",  # above, listing is a job with a task a file: minutes
    # as if to open a file cost no more than to read so much: else 30 small files make a task, and a file of the table
    "files.openCostInBytes": "65536",
    "constraintPropagation.enabled": "false",  # takes a time that grows with the square of the columns
    # what a text means
    "session.timeZone": "UTC",
    "timestampType": "TIMESTAMP_LTZ",
    "legacy.timeParserPolicy": "CORRECTED",
    "legacy.csv.enableDateTimeParsingFallback": "false",
    "legacy.json.enableDateTimeParsingFallback": "false",
    "legacy.json.allowEmptyString.enabled": "false",
    "legacy.javaCharsets": "true",  # the encodings that a source may name are those that Java and we read alike
    "legacy.codingErrorAction": "false",
    "csv.parser.columnPruning.enabled": "false",  # with it a broken row is whole if its columns are not asked for
    "csv.filterPushdown.enabled": "false",  # a broken record must be seen before it is passed over
    "json.filterPushdown.enabled": "false",
    "json.enableExactStringParsing": "true",
    "json.enablePartialResults": "true",
    "json.useUnsafeRow": "false",
    # what a value of parquet means
    "parquet.enableVectorizedReader": "true",
    "parquet.mergeSchema": "false",
    "parquet.respectSummaryFiles": "false",
    "parquet.binaryAsString": "false",
    "parquet.fieldId.read.enabled": "false",
    "parquet.inferTimestampNTZ.enabled": "true",
    "parquet.int96AsTimestamp": "true",
    "parquet.int96TimestampConversion": "false",
    "parquet.datetimeRebaseModeInRead": "CORRECTED",
    "parquet.int96RebaseModeInRead": "CORRECTED",
    "legacy.parquet.nanosAsLong": "false",
    "legacy.parquet.returnNullStructIfAllFieldsMissing": "false",
    # how values become the table's
    "ansi.enabled": "true",
    "storeAssignmentPolicy": "ANSI",
    "mapKeyDedupPolicy": "EXCEPTION",
    "charAsVarchar": "false",
    "preserveCharVarcharTypeInfo": "false",
    "legacy.charVarcharAsString": "false",
    "legacy.allowNegativeScaleOfDecimal": "false",
    "legacy.doLooseUpcast": "false",
    "variant.allowDuplicateKeys": "false",
    # how our own SQL is read: a column may be called ${spark.sql.catalog.lake.jdbc.password}
    "variable.substitute": "false",
    "parser.escapedStringLiterals": "false",
    "parser.quotedRegexColumnNames": "false",
    "ansi.doubleQuotedIdentifiers": "false",
}
_OF_OTHERS = {  # Spark has no defaults for them
    "spark.sql.iceberg.check-nullability": "true",
    "spark.sql.iceberg.check-ordering": "true",
    "spark.sql.iceberg.merge-schema": "false",
    # Hadoop's reader of lines drops longer ones without a word
    "mapreduce.input.linerecordreader.line.maxlength": str(2**31 - 1),
    # we stage by the id of our batch, set for the append alone
    "spark.wap.id": None,
    "spark.wap.branch": None,
}
PINNED: Mapping[str, str | None] = {**{f"spark.sql.{name}": value for name, value in _SQL.items()}, **_OF_OTHERS}


def pin(session: SparkSession) -> None:
    """Give the session the settings.

    Raises:
        Denied: one of them cannot be set.
    """
    with named_errors():
        for name in differing(_values(session)):
            _put(session, name, PINNED[name])
        if left := differing(_values(session)):
            raise _cannot(left[0])


def differing(values: Mapping[str, str | None]) -> list[str]:
    """The names of settings that are not as they must be; like Spark, whatever the case of their words."""
    return [name for name, wanted in PINNED.items() if _plain(values[name]) != _plain(wanted)]


def _plain(value: str | None) -> str | None:
    return None if value is None else value.lower()


def _put(session: SparkSession, name: str, value: str | None) -> None:
    try:
        if value is None:
            session.conf.unset(name)
        else:
            session.conf.set(name, value)
    except Exception as error:
        found = translated(error)
        raise (found if isinstance(found, Infrastructure) else _cannot(name)) from error


def _cannot(name: str) -> Denied:
    wanted = PINNED[name]
    must = "must not be set" if wanted is None else f"must be {wanted}"
    return Denied(
        f"{name} {must}, and Spark does not let a session change it: mend spark-defaults.conf", target="connect"
    )


def _values(session: SparkSession) -> dict[str, str | None]:
    """In two questions where each is a round trip."""
    of_spark = [name for name in PINNED if name not in _OF_OTHERS]
    if not type(session).__module__.startswith("pyspark.sql.connect"):
        known = {name: session.conf.get(name) for name in of_spark}
        return {**known, **{name: session.conf.get(name, None) for name in _OF_OTHERS}}
    client = cast("SparkConnectClient", session.client)  # type: ignore[operator]  # a property, to mypy a function
    others = client.get_config_with_defaults(*((name, None) for name in _OF_OTHERS))
    return dict(zip([*of_spark, *_OF_OTHERS], [*client.get_configs(*of_spark), *others], strict=True))
