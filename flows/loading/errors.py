"""What may go wrong in a load, and how the errors of Spark, Iceberg, storage and database become these few.

    Rejected         wrong data or wrong config: trying again changes nothing, a person must
    Infrastructure   storage, catalog, Spark Connect or database is away: try again later
    OutOfMemory      try again with more
    NotWanted        another attempt has the batch, or it has ended: go home quietly
    Unreadable       one file cannot be read: goes on without it
    Vanished         a file went away while it was read: ask the storage again
    AlreadyPublished the catalog refuses a second snapshot of the batch
    Outrun           another commit came first: look at the table again

Anything else is a crash. Only lines in which a program speaks are matched, never the text of a record: a log file with
the words "OutOfMemoryError" in it is data.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import unquote

from schemas.report import Cause

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

MAX_REASON = 300  # characters


class LoadError(Exception):
    """The base of the errors of a load; its text is for people."""


class Rejected(LoadError):
    """The data or the configuration is wrong: what, where, and what to do."""


class Infrastructure(LoadError):
    """Something this load needs is away."""


class OutOfMemory(LoadError):
    """The load needs more memory than it had."""


class NotWanted(LoadError):
    """Nobody waits for this attempt any more."""


class AlreadyPublished(LoadError):
    """A snapshot of this batch is in the table's history."""


class Outrun(LoadError):
    """Somebody else committed to the table in between."""


class FileError(LoadError):
    """One file, as the vendor spells it, and why."""

    def __init__(self, reason: str, path: str, *, encoded: bool) -> None:
        super().__init__(f"{path}: {reason}")
        self.reason = reason
        self._spellings = [path, unquote(path)]
        if encoded:
            self._spellings.reverse()

    def uri(self, known: Collection[str]) -> str | None:
        """Which of the known URIs is meant."""
        found = (spelled(path) for path in self._spellings)
        return next((uri for uri in found if uri in known), None)


class Unreadable(FileError):
    """A file that is cut off, or holds what its format does not allow.

    `malformed` when a record does not fit; a file cut off is not.
    """

    malformed: bool = False


class Vanished(FileError):
    """A file that was there a moment ago."""


def spelled(path: str) -> str:
    """A path of Hadoop's (`file:/a`, `file:///a`, `s3://b/a`) as `schemas.uris` spells it."""
    return re.sub("^file:/+", "file:///", path)


def cause_of(error: BaseException) -> Cause:
    """The word for the ledger."""
    match error:
        case Rejected():
            return "wrong-data"
        case Infrastructure() | Outrun() | Vanished():
            return "infrastructure"
        case OutOfMemory():
            return "out-of-memory"
        case _:
            return "crash"


@contextmanager
def named_errors() -> Iterator[None]:
    """Within, errors of vendors come out as ours; what has no name stays as it is."""
    try:
        yield
    except LoadError:
        raise
    except Exception as error:
        named = translated(error)
        if named is None:
            raise
        raise named from error


def translated(error: Exception) -> LoadError | None:
    """Our error for a vendor's; None when it is a crash."""
    whole = str(error)
    text = _without_path(whole)  # a file may be called "AccessDenied": its name says nothing of the error
    vendor = {cls.__name__ for cls in type(error).__mro__}
    spoken = _classes(text)
    if "[MALFORMED_" in text or "[CANNOT_PARSE_" in text:
        return _file_error(whole) or Rejected(reason_in(text))
    for lines, classes, ours in _MEANINGS:
        if vendor & classes or any(name.rpartition(".")[2] in classes for name in spoken):
            return ours(reason_in(text))
        if lines is not None and lines.search(text):
            return ours(reason_in(text))
    found = _file_error(whole)
    if found is not None:
        return found
    return Rejected(reason_in(text)) if vendor & _WRONG or _CANNOT_WRITE.search(text) else None


def _without_path(text: str) -> str:
    for pattern in (_READ_FAILED, _NO_PATH):
        if found := pattern.search(text):
            text = text.replace(found["path"], "the file").replace(unquote(found["path"]), "the file")
    return text


def reason_in(text: str) -> str:
    """The one readable line of a vendor's error: its deepest cause, without class names and stack."""
    if rpc := re.search(r'status = StatusCode\.(\w+)\s+details = "(.*)"', text):
        return f"Spark Connect: {rpc[2]} ({rpc[1].lower().replace('_', ' ')})"[:MAX_REASON]
    causes = re.findall(r"^Caused by: (?:[\w$.]+(?:Exception|Error)\b:? ?)?(.+)$", text, re.MULTILINE)
    lines = [line for line in re.split(r"\n+JVM stacktrace|\n\tat |\n+== ", text)[0].splitlines() if line.strip()]
    first = " ".join(lines[:2]) if lines else "no reason given"
    known = re.sub(r"^\((?:[\w$]+\.)+[\w$]+\) ", "", causes[-1] if causes else first)
    known = re.sub(r"^An error occurred while calling \S+ ?:? ?(?:[\w$.]+(?:Exception|Error): )?", "", known)
    known = re.sub(r"\s*SQLSTATE: \w+.*", "", re.sub(r"^\[[\w.]+\] ", "", known.strip()))
    return known if len(known) <= MAX_REASON else known[: MAX_REASON - 1] + "…"


_READ_FAILED = re.compile(
    r"\[FAILED_READ_FILE\.(?P<condition>\w+)\] Encountered error while reading file (?P<path>.+?)\."
    r"(?= +SQLSTATE|  | Could not read| Data type mismatch| File does not exist|\n|$)"
)
_NO_PATH = re.compile(r"\[PATH_NOT_FOUND\] Path does not exist: (?P<path>.+?)\. SQLSTATE")


def _file_error(text: str) -> LoadError | None:
    if gone := _NO_PATH.search(text):
        return Vanished("it is gone", gone["path"], encoded=False)
    found = _READ_FAILED.search(text)
    if found is None:
        return None
    encoded = found["condition"] != "CANNOT_READ_FILE_FOOTER"  # a footer is named raw, all else percent-encoded
    if found["condition"] == "FILE_NOT_EXIST" or "java.io.FileNotFoundException" in _classes(text):
        return Vanished("it went away while it was read", found["path"], encoded=encoded)
    unreadable = Unreadable(_readable(reason_in(text), found["path"]), found["path"], encoded=encoded)
    unreadable.malformed = "[MALFORMED_" in text
    return unreadable


def _readable(reason: str, path: str) -> str:
    if "Unexpected end of input stream" in reason:
        kind = "gzip" if path.endswith(".gz") else "stream"
        return f"truncated {kind}: {reason}"
    return reason.replace(f"{path} ", "").removeprefix("is ") if reason.startswith(path) else reason


_SPOKEN = re.compile(
    r"^(?:Caused by: |: |\()?((?:[a-z][\w$]*\.)+[A-Z][\w$]*)(?=[:)\s]|$)"
    r"|Lost task [^\n]*?\): ((?:[a-z][\w$]*\.)+[A-Z][\w$]*)",
    re.MULTILINE,
)


def _classes(text: str) -> list[str]:
    """The Java classes that an error names at the beginning of its lines."""
    return [first or second for first, second in _SPOKEN.findall(text)]


# Read from top to bottom. Names of classes, ours or Java's without the package, and lines a server says of itself.
_MEANINGS: tuple[tuple[re.Pattern[str] | None, frozenset[str], type[LoadError]], ...] = (
    (
        None,
        frozenset({"OutOfMemoryError", "MemoryError", "ConnectionRefusedError", "Py4JNetworkError"}),
        OutOfMemory,
    ),
    (None, frozenset({"DuplicateWAPCommitException"}), AlreadyPublished),
    (None, frozenset({"CommitFailedException"}), Outrun),
    (
        re.compile(
            r"Access ?Denied|not authorized to perform|Status Code: 403|ERROR: permission denied", re.IGNORECASE
        ),
        frozenset(
            {
                "AccessDeniedException",
                "AccessControlException",
                "ForbiddenException",
                "NotAuthorizedException",
                "PermissionDeniedError",
                "UnauthenticatedError",
            }
        ),
        Rejected,
    ),
    (
        re.compile(
            r"StatusCode\.(UNAVAILABLE|DEADLINE_EXCEEDED|CANCELLED)|\[INVALID_HANDLE\.|\[OPERATION_CANCELED\]"
            r"|\[RETRIES_EXCEEDED\]|\[TABLE_OR_VIEW_NOT_FOUND\]|Unable to execute HTTP request|No space left on device"
            # the server has ended, of out-of-memory perhaps, but of whose? The culprit itself was told OutOfMemoryError
            r"|Status Code: 5\d\d|Cannot call methods on a stopped SparkContext|SparkContext was shut down"
        ),
        frozenset(
            {
                "CommitStateUnknownException",
                "ConnectException",
                "ConnectionError",
                "GenericError",
                "InterfaceError",
                "NoRouteToHostException",
                "OperationalError",
                "PSQLException",
                "PSQLState",
                "RESTException",
                "RetriesExceeded",
                "SdkClientException",
                "ServiceFailureException",
                "ServiceUnavailableException",
                "SocketException",
                "SocketTimeoutException",
                "SQLTransientConnectionException",
                "UncheckedSQLException",
                "UnknownHostException",
            }
        ),
        Infrastructure,
    ),
)
_WRONG = frozenset(
    {
        "AnalysisException",
        "ArithmeticException",
        "DateTimeException",
        "NumberFormatException",
        "ParseException",
        "SparkRuntimeException",
    }
)
_CANNOT_WRITE = re.compile(
    r"Mkdirs failed to create|Permission denied|Transform is not supported|\[CANNOT_MERGE_SCHEMAS\]"
    r"|(\(|: )org\.apache\.iceberg\.exceptions\.(Validation|NoSuch\w+|AlreadyExists|NotFound)Exception"
)
