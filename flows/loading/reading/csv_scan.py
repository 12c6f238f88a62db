"""A look at all bytes of a CSV file that owes nothing to Spark: is it right, and how many records does it hold?

Spark's readers replace bytes that are not of the encoding, end an open quote where it suits them and drop what follows
a value, all without a word. So each file is read once here, in pieces and with bounded memory, and what is found
decides how Spark reads it and is compared with what Spark has read. Pure: bytes come in, a result or `Unfit` comes out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flows.loading.errors import Unfit
from flows.loading.reading.csv_dialects import Dialect
from flows.loading.reading.csv_first import FirstRecord
from flows.loading.reading.csv_lines import LineByLine
from flows.loading.reading.csv_windows import Windows
from flows.loading.reading.utf8 import as_utf8

if TYPE_CHECKING:
    from collections.abc import Iterable

    from flows.loading.reading.csv_dialects import Found
    from schemas.formats.csv import Csv

_BYTES = {"CRLF": "\r\n", "CR": "\r", "LF": "\n"}


@dataclass(frozen=True, slots=True)
class CsvScan:
    """A CSV file: its first record as written (empty when there is none), and the records, without a header.

    `multiline`: Spark must read it as a whole; then `line_end` is what ends its records.
    """

    first: str
    records: int
    multiline: bool
    line_end: str | None = None


def scan_csv(pieces: Iterable[bytes], options: Csv) -> CsvScan:
    """The whole of a CSV file in the dialect of the options, line ends of any kind.

    Raises:
        Unfit: not in its encoding; a quote that is not closed, or closed in the middle of a value; an escape of which
            readers make different things; a first record that is too long; line ends of several kinds in a file that
            must be read as a whole; a value that goes on in the next line, where the options say that none does.
    """
    dialect = Dialect.of(options)
    first = FirstRecord(dialect, is_header=options.header)
    judge = (Windows if dialect.is_usual else LineByLine)(dialect, may_break=options.multi_line is not False)
    for piece in as_utf8(pieces, options.codec):
        first.take(piece)
        judge.take(piece)
    return _judged(judge.end(), first, options)


def _judged(found: Found, first: FirstRecord, options: Csv) -> CsvScan:
    why = _why_as_a_whole(found, options)
    if why is not None:
        _check_whole(found, first, why, options)
    records = found.lines if why is None else found.records
    line_end = None if why is None else _BYTES[next(iter(found.kinds), "LF")]
    return CsvScan(first.end(), max(0, records - options.header), why is not None, line_end)


def _why_as_a_whole(found: Found, options: Csv) -> str | None:
    """Why Spark must not read the file line by line; None when it may."""
    if found.breaks:
        return "its values hold line breaks"
    if found.misread:
        return found.misread
    if options.is_wide:
        return "it is read as a whole because of its encoding"  # Spark looks for the byte of a line feed
    return "it is read as a whole because of `multi_line`" if options.multi_line is True else None


def _check_whole(found: Found, first: FirstRecord, why: str, options: Csv) -> None:
    """What Spark reads wrongly in a file that it reads as a whole."""
    if len(found.kinds) > 1:
        kinds = " and ".join(sorted(found.kinds))
        raise Unfit(f"{why}, and its lines end in {kinds}; write one kind of line end")
    if options.header and first.after_blanks:
        raise Unfit(f"{why}, and a line of blanks stands before its header; remove that line")
