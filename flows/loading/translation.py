"""How the errors of Spark, Iceberg, storage and database become the few of `errors`; `meanings` is the table.

Only lines in which a program speaks are matched, never the text of a record: a log file with the words
"OutOfMemoryError" in it is data.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import unquote

from flows.loading.errors import LoadError, Rejected, Unexplained, Unreadable, Vanished
from flows.loading.meanings import MEANINGS

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_REASON, A_FEW_WORDS = 300, 40  # characters
_STACK = re.compile(r"\n\s*at [\w$.]+\(|JVM stacktrace")


@contextmanager
def named_errors() -> Iterator[None]:
    """Within, errors of vendors come out as ours; what has no name stays as it is, but for a stack of Java's."""
    try:
        yield
    except LoadError:
        raise
    except Exception as error:
        named = translated(error)
        if named is None and _STACK.search(str(error)):
            named = Unexplained(f"{type(error).__name__}: {reason_in(str(error))}")
        if named is None:
            raise
        raise named from error


def translated(error: Exception) -> LoadError | None:
    """Our error for a vendor's; None when it is a crash."""
    whole = str(error)
    text = _without_path(whole)  # a file may be called "AccessDenied": its name says nothing of the error
    vendor = {cls.__name__ for cls in type(error).__mro__}
    named = vendor | {name.rpartition(".")[2] for name in _classes(text)}
    if _OF_DATA.search(text):
        return _file_error(whole) or Rejected(reason_in(text))
    for meaning in MEANINGS:
        if named & meaning.classes or meaning.lines.search(text):
            return meaning.ours(reason_in(text))
    found = _file_error(whole)
    if found is not None:
        return found
    return Rejected(reason_in(text)) if vendor & _WRONG or _CANNOT_WRITE.search(text) else None


# They quote what stands in the file, which may be a log full of errors.
_OF_DATA = re.compile(r"\[(MALFORMED|CANNOT_PARSE|CAST|NUMERIC|DATETIME|INVALID_DATETIME)_")


def _without_path(text: str) -> str:
    for pattern in (_READ_FAILED, _NO_PATH):
        if found := pattern.search(text):
            text = text.replace(found["path"], "the file").replace(unquote(found["path"]), "the file")
    return text


def reason_in(text: str) -> str:
    """The one readable line of a vendor's error: its deepest cause, without class names and stack."""
    if rpc := re.search(r'status = StatusCode\.(\w+)\s+details = "(.*)"', text):
        return f"Spark Connect: {rpc[2]} ({rpc[1].lower().replace('_', ' ')})"[:MAX_REASON]
    if said := re.search(r"<Code>(\w+)</Code>\s*<Message>([^<]*)</Message>", text):
        return f"{said[2]} ({said[1]})"[:MAX_REASON]
    causes = re.findall(r"^Caused by: (?:[\w$.]+(?:Exception|Error)\b:? ?)?(.+)$", text, re.MULTILINE)
    lines = [
        line
        for line in re.split(r"\n+JVM stacktrace|\n+Debug source|\n\t+at |\n+== ", text)[0].splitlines()
        if line.strip()
    ]
    first = " ".join(lines[:2]) if lines else "no reason given"
    known = _plain(causes[-1] if causes else first)
    if causes and len(known) < A_FEW_WORDS and not _READ_FAILED.search(text):
        known = f"{_plain(first)}: {known}"  # "Connection refused" says nothing without what was tried
    return known if len(known) <= MAX_REASON else known[: MAX_REASON - 1] + "…"


def _plain(line: str) -> str:
    """Without the names of classes and conditions, and what only a vendor's support can read."""
    for noise in _NOISE:
        line = noise.sub("", line.strip())
    return line


_NOISE = (
    re.compile(r"^\((?:[\w$]+\.)+[\w$]+\) "),
    re.compile(r"^An error occurred while calling \S+ ?:? ?(?:[\w$.]+(?:Exception|Error): )?"),
    re.compile(r"^\[[\w.]+\] "),
    re.compile(r"\s*SQLSTATE: \w+.*"),
    re.compile(r"\b(?:[a-z]\w*\.){2,}[A-Z][\w$]*(?:Exception|Error)\b:? ?"),
    re.compile(r",? ?(?:Extended )?Request ID: [^,)]*"),
)


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
    r"Transform is not supported|\[CANNOT_MERGE_SCHEMAS\]"
    r"|(\(|: )org\.apache\.iceberg\.exceptions\.(Validation|NoSuch\w+|AlreadyExists)Exception"
)
