"""Errors of vendors become the few which a load knows. The texts are as Spark, Iceberg and gRPC wrote them."""

import pytest

from flows.loading.errors import (
    AlreadyPublished,
    FileError,
    Infrastructure,
    LoadError,
    OutOfMemory,
    Outrun,
    Rejected,
    ServerLost,
    Unreadable,
    Vanished,
    cause_of,
    target_of,
)
from flows.loading.translation import MAX_REASON, named_errors, translated


class SparkException(Exception):
    """As pyspark's: known by its name."""


class AnalysisException(Exception):
    """As pyspark's."""


class OperationalError(Exception):
    """As psycopg's."""


STACK = "\n\nJVM stacktrace:\n"
READING = "[FAILED_READ_FILE.NO_HINT] Encountered error while reading file {}.  SQLSTATE: KD001" + STACK
FOOTER = (
    "Job aborted due to stage failure: Task 1 in stage 172.0 failed 1 times, most recent failure: Lost task 1.0 in"
    " stage 172.0 (TID 142) (host executor driver): org.apache.spark.SparkException: Exception thrown in awaitResult\n"
    "\tat org.apache.spark.util.SparkThreadUtils$.awaitResult(SparkThreadUtils.scala:53)\n"
    "Caused by: org.apache.spark.SparkException: [FAILED_READ_FILE.CANNOT_READ_FILE_FOOTER] Encountered error while"
    " reading file file:/data/a%20b.parquet. Could not read footer. Please ensure that the file is in either ORC or"
    " Parquet format. SQLSTATE: KD001\n"
    "Caused by: java.lang.RuntimeException: file:/data/a%20b.parquet is not a Parquet file. Expected magic number"
)


@pytest.mark.parametrize(
    ("error", "ours", "words"),
    [
        (SparkException("… (192.0.2.2 executor driver): x"), None, ""),
        (
            SparkException(
                "Lost task 0.0 in stage 8.0 (TID 5) (h executor driver): java.lang.OutOfMemoryError: Java heap"
            ),
            OutOfMemory,
            "",
        ),
        (ConnectionRefusedError(111, "Connection refused"), OutOfMemory, "refused"),
        (MemoryError(), OutOfMemory, ""),
        (
            SparkException("(java.lang.IllegalStateException) Cannot call methods on a stopped SparkContext.\nThis"),
            ServerLost,
            "stopped",
        ),
        (
            SparkException(
                "(org.apache.iceberg.exceptions.DuplicateWAPCommitException) Duplicate request to cherry pick wap id"
                f" that was published already: b-0{STACK}org.apache.iceberg.exceptions.X\n\tat x"
            ),
            AlreadyPublished,
            "b-0",
        ),
        (
            SparkException(
                "An error occurred while calling o1.sql.\n: org.apache.iceberg.exceptions.CommitFailedException: y"
            ),
            Outrun,
            "y",
        ),
        (
            SparkException(
                '<_InactiveRpcError of RPC\n\tstatus = StatusCode.UNAVAILABLE\n\tdetails = "Socket closed"\n'
            ),
            ServerLost,
            "Socket closed",
        ),
        (
            SparkException("(org.apache.spark.SparkSQLException) [INVALID_HANDLE.SESSION_CLOSED] Handle 06 is bad"),
            Infrastructure,
            "Handle 06 is bad",
        ),
        (
            SparkException("(org.apache.spark.SparkSQLException) [INVALID_HANDLE.SESSION_CHANGED] Handle 06 is bad"),
            ServerLost,
            "Handle 06 is bad",
        ),
        (OperationalError("connection to server failed"), Infrastructure, "connection"),
        (
            SparkException(
                READING.format("s3://b/a.csv") + "Caused by: java.net.SocketTimeoutException: Read timed out"
            ),
            Infrastructure,
            "Read timed out",
        ),
        (
            SparkException("(org.apache.iceberg.exceptions.ForbiddenException) Forbidden: not yours"),
            Rejected,
            "not yours",
        ),
        (AnalysisException('[UNSUPPORTED_DATATYPE] Unsupported data type "BIGIN". SQLSTATE: 0A000'), Rejected, "BIGIN"),
        (
            SparkException(
                "(org.apache.iceberg.exceptions.ValidationException) Invalid source type long for transform: day"
            ),
            Rejected,
            "Invalid source type",
        ),
        (ZeroDivisionError("division by zero"), None, ""),
    ],
)
def test_an_error_of_a_vendor_gets_our_name(error: Exception, ours: type[LoadError] | None, words: str) -> None:
    found = translated(error)

    assert type(found) is (ours or type(None))
    assert words in str(found)


@pytest.mark.parametrize(
    ("text", "kind", "uri", "reason"),
    [
        (
            READING.format("file:///data/mal%20å.csv") + "org.apache.spark.SparkException\n"
            "Caused by: org.apache.spark.SparkException: [MALFORMED_RECORD_IN_PARSING.X] Malformed: [3]\n"
            "Caused by: org.apache.spark.SparkRuntimeException: [MALFORMED_CSV_RECORD] Malformed CSV record: 3,4,5",
            Unreadable,
            "file:///data/mal å.csv",
            "Malformed CSV record: 3,4,5",
        ),
        (
            READING.format("s3://b/x.csv.gz") + "x\nCaused by: java.io.EOFException: Unexpected end of input stream",
            Unreadable,
            "s3://b/x.csv.gz",
            "truncated gzip: Unexpected end of input stream",
        ),
        (FOOTER, Unreadable, "file:///data/a%20b.parquet", "not a Parquet file"),
        (
            "[PATH_NOT_FOUND] Path does not exist: file:/data/gone.csv. SQLSTATE: 42K03",
            Vanished,
            "file:///data/gone.csv",
            "gone",
        ),
    ],
)
def test_an_error_about_a_file_names_the_file_as_the_ledger_does(
    text: str, kind: type[FileError], uri: str, reason: str
) -> None:
    found = translated(SparkException(text))

    assert isinstance(found, kind)
    assert found.uri({uri, "file:///data/another.csv"}) == uri
    assert found.uri({"file:///data/another.csv"}) is None
    assert reason in found.reason


def test_a_record_that_speaks_of_errors_is_data() -> None:
    log = "Caused by: [MALFORMED_CSV_RECORD] Malformed CSV record: java.lang.OutOfMemoryError: StatusCode.UNAVAILABLE"

    found = translated(SparkException(READING.format("s3://b/app.log.csv") + "x\n" + log))

    assert isinstance(found, Unreadable)
    assert found.malformed


def test_a_reason_is_short() -> None:
    found = translated(AnalysisException("x" * 1000))

    assert found is not None
    assert len(str(found)) == MAX_REASON


def test_errors_of_ours_and_crashes_pass_through() -> None:
    with pytest.raises(Rejected, match="as it is"), named_errors():
        raise Rejected("as it is")
    with pytest.raises(ZeroDivisionError), named_errors():
        raise ZeroDivisionError


def test_every_error_has_a_cause_for_the_ledger() -> None:
    assert cause_of(Rejected("x")) == "wrong-data"
    assert cause_of(Infrastructure("x", target=None)) == "infrastructure"
    assert cause_of(Outrun("x")) == "infrastructure"
    assert cause_of(ServerLost("x")) == "server-lost"
    assert cause_of(OutOfMemory("x")) == "out-of-memory"
    assert cause_of(KeyError("x")) == "crash"


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ('<_InactiveRpcError of RPC\n\tstatus = StatusCode.DEADLINE_EXCEEDED\n\tdetails = "slow"\n', "connect"),
        (
            (
                "(org.apache.iceberg.jdbc.UncheckedSQLException) Failed to get table a.b from catalog lake\n"
                "Caused by: org.postgresql.util.PSQLException: The connection attempt failed.\n"
                "Caused by: java.net.UnknownHostException: db.invalid"
            ),
            "catalog",
        ),
        (
            READING.format("s3://b/a.csv") + "Caused by: java.net.UnknownHostException: s3.invalid",
            "storage",
        ),
        ("(org.apache.iceberg.exceptions.CommitFailedException) y", None),
    ],
)
def test_an_error_tells_what_was_away(text: str, target: str | None) -> None:
    found = translated(SparkException(text))

    assert found is not None
    assert target_of(found) == target
    assert cause_of(found) == "infrastructure"
