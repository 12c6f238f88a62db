"""The header of each CSV file: Spark maps columns by position and never compares headers."""

from __future__ import annotations

import bz2
import csv
import io
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flows.loading import probe
from flows.loading.errors import LoadError
from flows.loading.tables import OURS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from schemas.config import Csv
    from schemas.manifest import ManifestFile

HEAD_BYTES = 64 * 1024
COMPRESSED = (".gz", ".bz2")
_UNKNOWN_COMPRESSION = (".zst", ".zip", ".xz", ".lz4", ".snappy", ".deflate", ".br", ".7z", ".lzo")
_STAND_IN = "\x1f"  # for a delimiter of two characters; URIs and headers hold no control characters


class BadHeader(LoadError):
    """Why a file's header cannot be used."""


@dataclass(frozen=True, slots=True)
class Head:
    """The columns a file names, in its order; none when it is empty. `multiline`: quoted values hold line breaks.

    `line` is the header as written: when Spark infers types, it passes over the lines that equal the first header.
    """

    names: tuple[str, ...]
    line: str = ""
    multiline: bool = False


def read_heads(files: Iterable[ManifestFile], options: Csv) -> dict[str, Head | BadHeader]:
    """By URI: the head, or what is wrong with it. Raises Infrastructure and Rejected as the storage does."""

    def one(file: ManifestFile) -> tuple[str, Head | BadHeader]:
        try:
            return file.uri, _head(file, options)
        except BadHeader as error:
            return file.uri, error

    with ThreadPoolExecutor(probe.CONCURRENCY) as pool:
        return dict(pool.map(one, files))


def _head(file: ManifestFile, options: Csv) -> Head:
    if file.uri.endswith(_UNKNOWN_COMPRESSION):
        raise BadHeader(f"compression {file.uri.rpartition('.')[2]!r} is not supported; use gz or bz2")
    if not file.size:
        return Head(())
    found = probe.head(file.uri, HEAD_BYTES)
    return parse_head(plain(found, file.uri), options, whole=file.size <= HEAD_BYTES)


def plain(found: bytes, uri: str) -> bytes:
    """The first bytes without their compression. Raises BadHeader when they are not compressed."""
    try:
        if uri.endswith(".gz"):
            return zlib.decompressobj(31).decompress(found, HEAD_BYTES * 4)
        if uri.endswith(".bz2"):
            return bz2.BZ2Decompressor().decompress(found, HEAD_BYTES * 4)
    except (zlib.error, OSError) as error:
        raise BadHeader(f"not a {uri.rpartition('.')[2]} file: {error}") from error
    return found


def parse_head(found: bytes, options: Csv, *, whole: bool) -> Head:
    """The head in the first bytes of a CSV file; `whole` when these are all.

    Raises:
        BadHeader: not UTF-8, a name twice, a name missing, a name of ours, or longer than the first bytes.
    """
    try:
        text = found.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "strict" if whole else "ignore")
    except UnicodeDecodeError as error:
        raise BadHeader(f"not UTF-8: {error.reason} at byte {error.start}") from error
    lines = [line for line in io.StringIO(text, newline="") if line.strip()]
    first = next(iter(lines), None)
    if first is None:
        return Head(())
    if not whole and len(lines) == 1:
        raise BadHeader(f"its header is longer than {HEAD_BYTES} bytes")
    names = _names(first, options)
    return Head(
        names, first.rstrip("\r\n"), multiline=_has_multiline_values(text, len(lines), names, options, whole=whole)
    )


def _names(line: str, options: Csv) -> tuple[str, ...]:
    try:
        (names,) = _records(line, options)
    except (csv.Error, ValueError) as error:
        raise BadHeader(f"its header cannot be parsed: {error}") from error
    folded = [name.lower() for name in names]
    if "" in (name.strip() for name in folded):
        raise BadHeader(f"column {[name.strip() for name in folded].index('') + 1} of its header has no name")
    if twice := next((name for name in folded if folded.count(name) > 1), None):
        raise BadHeader(f"its header names {twice!r} twice")
    if reserved := next((name for name in folded if name in OURS), None):
        raise BadHeader(f"its header names {reserved!r}, which is a column of ours")
    return tuple(names)


def _has_multiline_values(text: str, lines: int, names: tuple[str, ...], options: Csv, *, whole: bool) -> bool:
    """Whether the text is right as records over several lines, and only then."""
    if '"' not in text:
        return False
    try:
        records = [record for record in _records(text, options, strict=whole) if record]
    except csv.Error:
        return False
    complete = records if whole else records[:-1]
    return len(records) < lines and all(len(record) == len(names) for record in complete)


def _records(text: str, options: Csv, *, strict: bool = True) -> list[list[str]]:
    delimiter = "\t" if options.delimiter == "\\t" else options.delimiter
    if len(delimiter) > 1:
        text = text.replace(delimiter, _STAND_IN)
    rows = csv.reader(
        io.StringIO(text, newline=""), delimiter=delimiter if len(delimiter) == 1 else _STAND_IN, strict=strict
    )
    return [[value.replace(_STAND_IN, delimiter) for value in row] for row in rows]
