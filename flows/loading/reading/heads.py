"""The header of each CSV file: Spark maps columns by position and never compares headers."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flows.loading.errors import Unfit
from flows.loading.writing.tables import OURS

if TYPE_CHECKING:
    from flows.loading.reading.csv_scan import CsvScan
    from schemas.formats.csv import Csv

_STAND_IN = "\x1f"  # for a delimiter of two characters; URIs and headers hold no control characters


@dataclass(frozen=True, slots=True)
class Head:
    """The columns a file names, in its order; none when it is empty. `multiline`: quoted values hold line breaks.

    `line` is the header as written: when Spark infers types, it passes over the lines that equal the first header.
    """

    names: tuple[str, ...]
    line: str = ""
    multiline: bool = False


def delimiter(options: Csv) -> str:
    """The characters themselves: the configuration may write a tab as Spark does."""
    return "\t" if options.delimiter == "\\t" else options.delimiter


def head(found: CsvScan, options: Csv) -> Head:
    """The columns that a file's first line names.

    Raises:
        Unfit: a name twice, a name missing, a name of ours, a value that goes on in the next line.
    """
    if not found.header:
        return Head(())
    return Head(_names(found.header, options), found.header, multiline=found.multiline)


def _names(line: str, options: Csv) -> tuple[str, ...]:
    try:
        names = _values(line, delimiter(options))
    except (csv.Error, ValueError) as error:
        raise Unfit(f"its header cannot be parsed: {error}") from error
    folded = [name.lower() for name in names]
    if "" in (name.strip() for name in folded):
        raise Unfit(f"column {[name.strip() for name in folded].index('') + 1} of its header has no name")
    if twice := next((name for name in folded if folded.count(name) > 1), None):
        raise Unfit(f"its header names {twice!r} twice")
    if reserved := next((name for name in folded if name in OURS), None):
        raise Unfit(f"its header names {reserved!r}, which is a column of ours")
    return tuple(names)


def _values(line: str, separator: str) -> list[str]:
    single = separator if len(separator) == 1 else _STAND_IN
    text = line if len(separator) == 1 else line.replace(separator, _STAND_IN)
    (values,) = csv.reader(io.StringIO(text, newline=""), delimiter=single, strict=True)
    return [value.replace(_STAND_IN, separator) for value in values]
