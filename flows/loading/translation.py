"""How the errors of Spark, Iceberg, storage and database become the few of `errors`.

Only lines in which a program speaks are matched, never the text of a record: a log file with the words
"OutOfMemoryError" in it is data.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import unquote

from flows.loading.errors import (
    AlreadyPublished,
    Infrastructure,
    LoadError,
    OutOfMemory,
    Outrun,
    Rejected,
    ServerLost,
    Unreadable,
    Vanished,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from schemas.report import Target

MAX_REASON = 300  # characters


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
    named = vendor | {name.rpartition(".")[2] for name in _classes(text)}
    if "[MALFORMED_" in text or "[CANNOT_PARSE_" in text:
        return _file_error(whole) or Rejected(reason_in(text))
    for meaning in _MEANINGS:
        if named & meaning.classes or meaning.lines.search(text):
            return meaning.ours(reason_in(text))
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


@dataclass(frozen=True, slots=True)
class _Meaning:
    """Names of classes, ours or Java's without the package, and lines a program says of itself: what they mean."""

    ours: Callable[[str], LoadError]
    classes: frozenset[str]
    lines: re.Pattern[str] = re.compile(r"(?!)")  # none


def _away(target: Target) -> Callable[[str], LoadError]:
    return partial(Infrastructure, target=target)


# Read from top to bottom: an error names all it passed through, and what is more exact comes first.
_MEANINGS = (
    _Meaning(OutOfMemory, frozenset({"OutOfMemoryError", "MemoryError", "ConnectionRefusedError", "Py4JNetworkError"})),
    _Meaning(AlreadyPublished, frozenset({"DuplicateWAPCommitException"})),
    _Meaning(Outrun, frozenset({"CommitFailedException"})),
    _Meaning(
        Rejected,
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
        re.compile(
            r"Access ?Denied|not authorized to perform|Status Code: 403|ERROR: permission denied", re.IGNORECASE
        ),
    ),
    _Meaning(
        ServerLost,
        frozenset({"RetriesExceeded"}),
        re.compile(
            r"StatusCode\.UNAVAILABLE|\[RETRIES_EXCEEDED\]"
            # another server by now, which does not know our session; one that a rival has closed is SESSION_CLOSED
            r"|\[INVALID_HANDLE\.SESSION_(NOT_FOUND|CHANGED)\]"
            # the server has ended, of out-of-memory perhaps, but of whose? The culprit itself was told OutOfMemoryError
            r"|Cannot call methods on a stopped SparkContext|SparkContext was shut down"
        ),
    ),
    _Meaning(
        _away("connect"),
        frozenset(),
        re.compile(
            r"StatusCode\.(DEADLINE_EXCEEDED|CANCELLED)|\[INVALID_HANDLE\.|\[OPERATION_CANCELED\]"
            r"|No space left on device"
        ),
    ),
    _Meaning(
        _away("catalog"),
        frozenset(
            {
                "CommitStateUnknownException",
                "InterfaceError",
                "OperationalError",
                "PSQLException",
                "PSQLState",
                "RESTException",
                "ServiceFailureException",
                "ServiceUnavailableException",
                "SQLTransientConnectionException",
                "UncheckedSQLException",
            }
        ),
        re.compile(r"\[TABLE_OR_VIEW_NOT_FOUND\]"),
    ),
    _Meaning(
        _away("storage"),
        frozenset(
            {
                "ConnectException",
                "ConnectionError",
                "GenericError",
                "NoRouteToHostException",
                "SdkClientException",
                "SocketException",
                "SocketTimeoutException",
                "UnknownHostException",
            }
        ),
        re.compile(r"Unable to execute HTTP request|Status Code: 5\d\d"),
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
