"""The columns of each CSV file: Spark maps them by position and never compares headers."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flows.loading.errors import Unfit
from flows.loading.reading.csv_dialects import BrokenRecord, Dialect, Grammar
from flows.loading.reading.csv_first import MAX_FIRST_BYTES
from flows.loading.writing.tables import OURS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flows.loading.reading.csv_scan import CsvScan
    from schemas.formats.csv import Csv

MAX_COLUMNS = 20480


@dataclass(frozen=True, slots=True)
class Head:
    """The columns of a file, in its order; none when it is empty. `width`: how many values its first record has.

    `line` is the header as written: when Spark infers types, it passes over the lines that equal the first header.
    `multiline`: Spark must read the file as a whole; then `line_end` is what ends its records. `trimmed`: names had
    blanks around them. `records`: without the header.
    """

    names: tuple[str, ...]
    line: str = ""
    multiline: bool = False
    width: int = 0
    records: int = 0
    trimmed: bool = False
    line_end: str | None = None


def head(found: CsvScan, options: Csv) -> Head:
    """The columns that a file's first line names, or the options; `_c0`, `_c1`, as Spark has it, when neither does.

    Raises:
        Unfit: a name twice, a name missing, a name of ours, a value of a header that goes on in the next line; another
            number of names in the header than in the options; more columns than Spark reads.
    """
    if not found.first:
        return Head(())
    written = None if options.names and not options.header else _values(found.first, options)
    width = len(options.names if written is None else written)
    if width > MAX_COLUMNS:
        raise Unfit(f"it has {width} columns, and Spark reads {MAX_COLUMNS} at most")
    names = _names(written or (), options)
    return Head(
        names,
        found.first if options.header else "",
        found.multiline,
        width,
        found.records,
        trimmed=options.header and not options.names and list(names) != written,
        line_end=found.line_end,
    )


def _names(written: Sequence[str], options: Csv) -> tuple[str, ...]:
    if options.names:
        return _checked(_as_many(options.names, len(written), options))
    if not options.header:
        return tuple(f"_c{place}" for place in range(len(written)))
    return _checked([name.strip() for name in written])


def _as_many(names: Sequence[str], width: int, options: Csv) -> Sequence[str]:
    if options.header and width != len(names):
        raise Unfit(f"its header has {width} columns, and `names` has {len(names)}")
    return names


def _checked(names: Sequence[str]) -> tuple[str, ...]:
    folded = [name.lower() for name in names]
    if "" in folded:
        raise Unfit(f"column {folded.index('') + 1} of its header has no name")
    if twice := next((name for name, times in Counter(folded).items() if times > 1), None):
        raise Unfit(f"its header names {twice!r} twice")
    if reserved := next((name for name in folded if name in OURS), None):
        raise Unfit(f"its header names {reserved!r}, which is a column of ours")
    return tuple(names)


def _values(first: str, options: Csv) -> list[str]:
    grammar = Grammar(Dialect.of(options))
    text = first.encode()
    record = text if options.header else grammar.first_record(text)
    if len(record) > MAX_FIRST_BYTES:
        raise Unfit(f"its first record is longer than {MAX_FIRST_BYTES} bytes; say the `names` of its columns")
    try:
        return [value.decode() for value in grammar.values(record)]
    except BrokenRecord as error:
        raise Unfit(f"its header cannot be parsed: {error}") from error
