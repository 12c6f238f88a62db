"""Errors of vendors become the few which a load knows. The texts are as Spark, Iceberg and gRPC wrote them."""

import pytest

from flows.loading.errors import (
    AlreadyPublished,
    Denied,
    FileError,
    Infrastructure,
    LoadError,
    OutOfMemory,
    Outrun,
    Rejected,
    ServerLost,
    Unexplained,
    Unheard,
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
            Denied,
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


def test_what_has_no_name_is_a_crash_told_in_one_line_without_the_stack() -> None:
    stack = "java.net.URISyntaxException: Relative path in absolute URI: co:lon.csv\n\tat java.net.URI.x(URI.java:9)"

    with pytest.raises(Unexplained) as told, named_errors():
        raise SparkException(f"(java.lang.IllegalArgumentException) {stack}{STACK}{stack}")

    assert str(told.value).startswith("SparkException: ")
    assert "co:lon.csv" in str(told.value)
    assert "\tat" not in str(told.value)
    assert "URI.java" not in str(told.value)
    assert cause_of(told.value) == "crash"


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


CALL = "An error occurred while calling o1.x.\n: "
STATUS = "getFileStatus on s3://landing/x.csv: software.amazon.awssdk.services.s3.model.S3Exception: "
CONNECTING = (
    CALL + "org.apache.iceberg.jdbc.UncheckedSQLException: Failed to connect: jdbc:postgresql://db/iceberg\n\tat x\n"
)
OBSTORE = "Error performing GET http://s3/landing/x.csv in 677µs - Server returned non-2xx status code: 403 Forbidden: "


class PermissionDeniedError(Exception):
    """As obstore's."""


@pytest.mark.parametrize(
    ("error", "target", "words"),
    [
        (
            CALL + f"java.nio.file.AccessDeniedException: s3://landing/x.csv: {STATUS}Forbidden (Service: S3, Status "
            "Code: 403, Request ID: BYF9, Extended Request ID: xPf=):null\n\tat x\n"
            "Caused by: software.amazon.awssdk.services.s3.model.S3Exception: Forbidden (Service: S3, Status Code: 403,"
            " Request ID: BYF9, Extended Request ID: xPf=)",
            "storage",
            "check the keys, their rights, the region and the clock: Forbidden (Service: S3, Status Code: 403)",
        ),
        (
            CALL + f"org.apache.hadoop.fs.s3a.AWSBadRequestException: {STATUS}Bad Request (Status Code: 400)",
            "storage",
            "check the keys",
        ),
        (
            CALL
            + "org.apache.hadoop.fs.s3a.UnknownStoreException: `s3://nobucket/x.csv': getFileStatus on s3://nobucket"
            "/x.csv: software.amazon.awssdk.services.s3.model.NoSuchBucketException: That bucket does not exist"
            " (Status Code: 404, Request ID: L3)",
            "storage",
            "no such bucket",
        ),
        (
            CALL + "java.nio.file.AccessDeniedException: s3://b/x.csv: org.apache.hadoop.fs.s3a.auth."
            "NoAuthWithAWSException: No AWS Credentials provided by Environment\n"
            "Caused by: software.amazon.awssdk.core.exception.SdkClientException: Unable to load from system"
            " settings. Access key must be specified either via environment variable (AWS_ACCESS_KEY_ID)",
            "storage",
            "AWS_ACCESS_KEY_ID",
        ),
        (
            PermissionDeniedError(
                f'No privileges: {OBSTORE}<?xml version="1.0"?>\n<Error>'
                "<Code>RequestTimeTooSkewed</Code><Message>Too large a difference.</Message>\n\nDebug source:\n"
            ),
            "storage",
            "Too large a difference. (RequestTimeTooSkewed)",
        ),
        (
            CONNECTING
            + 'Caused by: org.postgresql.util.PSQLException: FATAL: password authentication failed for user "a"',
            "catalog",
            'check its user and rights: FATAL: password authentication failed for user "a"',
        ),
        (
            CONNECTING + 'Caused by: org.postgresql.util.PSQLException: FATAL: database "nodb" does not exist',
            "catalog",
            'database "nodb" does not exist',
        ),
        (
            CALL + "org.apache.iceberg.jdbc.UncheckedSQLException: Failed to get table a.b from catalog c\n\tat x\n"
            "Caused by: org.postgresql.util.PSQLException: ERROR: permission denied for table iceberg_tables",
            "catalog",
            "permission denied for table iceberg_tables",
        ),
        (
            CALL
            + "org.apache.spark.SparkException: Cannot find catalog plugin class for catalog 'c7': org.example.Nope.\n"
            "\tat x\nCaused by: java.lang.ClassNotFoundException: org.example.Nope",
            "catalog",
            "Cannot find catalog plugin class for catalog 'c7': org.example.Nope",
        ),
        ("Unknown catalog type: jdbcx", "catalog", "jdbcx"),
        (
            '<_InactiveRpcError of RPC\n\tstatus = StatusCode.UNAUTHENTICATED\n\tdetails = "Invalid token"\n',
            "connect",
            "Invalid token",
        ),
    ],
)
def test_rights_and_settings_are_no_wrong_data_and_say_what_to_do(
    error: str | Exception, target: str, words: str
) -> None:
    found = translated(SparkException(error) if isinstance(error, str) else error)

    assert isinstance(found, Denied)
    assert (cause_of(found), found.target) == ("infrastructure", target)
    assert words in str(found)
    assert "Exception" not in str(found).replace("ClassNotFoundException", "")
    assert "Request ID" not in str(found)


@pytest.mark.parametrize(
    ("text", "target", "words"),
    [
        (
            CONNECTING + "Caused by: org.postgresql.util.PSQLException: Connection to db refused. Check that\n"
            "Caused by: java.net.ConnectException: Connection refused",
            "catalog",
            "the catalog fails: Failed to connect: jdbc:postgresql://db/iceberg: Connection refused",
        ),
        (
            CALL
            + "java.net.UnknownHostException: getFileStatus on s3://b/x.csv: software.amazon.awssdk.core.exception."
            "SdkClientException: Received an UnknownHostException\n\tat x\n"
            "Caused by: software.amazon.awssdk.core.exception.SdkClientException: Unable to execute HTTP request: s3.x",
            "storage",
            "Received an UnknownHostException: Unable to execute HTTP request: s3.x",
        ),
        (
            CALL
            + "org.apache.iceberg.exceptions.RuntimeIOException: Failed to create file: file:/nope/t/x.metadata.json",
            "catalog",
            "Failed to create file: file:/nope/t/x.metadata.json",
        ),
        (
            CALL + "org.apache.iceberg.exceptions.ValidationException: Cannot cherry-pick unknown snapshot ID: 1",
            None,
            "unknown snapshot",
        ),
        ("[TABLE_OR_VIEW_NOT_FOUND] The table or view `c1`.`h7`.`gone` cannot be found. Verify", None, "gone"),
    ],
)
def test_what_is_away_is_named_with_what_was_tried(text: str, target: str | None, words: str) -> None:
    found = translated(SparkException(text))

    assert type(found) is Infrastructure
    assert found.target == target
    assert words in str(found)


@pytest.mark.parametrize("condition", ["CAST_INVALID_INPUT", "NUMERIC_VALUE_OUT_OF_RANGE", "CANNOT_PARSE_TIMESTAMP"])
def test_a_value_that_speaks_of_errors_is_data(condition: str) -> None:
    said = f"[{condition}] The value 'ERROR: permission denied; StatusCode.UNAVAILABLE' of the type \"STRING\" is not"

    assert isinstance(
        translated(SparkException(READING.format("s3://b/app.csv") + "x\nCaused by: " + said)), Unreadable
    )
    assert isinstance(translated(AnalysisException(said)), Rejected)


@pytest.mark.parametrize(
    "text",
    [
        (
            "(org.apache.iceberg.exceptions.CommitStateUnknownException) Server error: UncheckedSQLException: Unknown\n"
            "Cannot determine whether the commit was successful or not\n"
            "Caused by: org.apache.iceberg.exceptions.ServiceFailureException: Server error"
        ),
        (
            "(org.apache.iceberg.jdbc.UncheckedSQLException) Unknown failure\nCaused by:"
            " org.postgresql.util.PSQLException: ERROR: the commit found no row to change: look"
        ),
    ],
    ids=["REST", "JDBC with its guard"],
)
def test_a_commit_whose_answer_is_lost_is_looked_for(text: str) -> None:
    found = translated(SparkException(text))

    assert isinstance(found, Unheard)
    assert (cause_of(found), target_of(found)) == ("infrastructure", "catalog")


def test_the_catalog_that_answers_out_of_turn_is_looked_at_again() -> None:
    text = "(org.apache.iceberg.exceptions.BadRequestException) Malformed request: Failed to apply update: can't add"

    found = translated(SparkException(f"{text} snapshot with sequence number 3, must be > than last sequence number"))

    assert isinstance(found, Outrun)
