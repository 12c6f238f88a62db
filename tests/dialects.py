"""Random tables, and the csv module's writing and reading of them in random dialects."""

import csv
import io
from dataclasses import dataclass
from itertools import chain
from typing import Any

from hypothesis import strategies as st

from schemas.formats.csv import Csv

_LATIN = "ab1 ,;|\t'\"\\^#é\n\r\x85"
_UNICODE = _LATIN + "日🙂\u2028"


@dataclass(frozen=True)
class Table:
    """Rows of text, and how they are written: `quotes_all` or as few as possible, `end` after each line."""

    options: Csv
    rows: tuple[tuple[str, ...], ...]
    quotes_all: bool
    end: str
    is_ended: bool

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(f"c{place}" for place in range(len(self.rows[0])))


def delimiters() -> st.SearchStrategy[str]:
    return st.sampled_from([",", ";", "\\t", "|", " ", "\x01", "§"])


@st.composite
def dialects(draw: st.DrawFn) -> Csv:
    quote = draw(st.sampled_from(['"', '"', "'", "«", ""]))
    return Csv(
        delimiter=draw(delimiters()),
        quote=quote,
        escape=draw(st.sampled_from([None, "\\", "^"])) if quote else None,
        comment=draw(st.sampled_from([None, None, "#"])),
        header=draw(st.booleans()),
        multi_line=draw(st.sampled_from(["auto", "auto", True, False])),
        encoding=draw(st.sampled_from(["utf-8", "utf-16", "utf-16le", "utf-32", "latin-1", "windows-1252"])),
    )


@st.composite
def tables(draw: st.DrawFn) -> Table:
    options, quotes_all = draw(dialects()), draw(st.booleans())
    value = st.text(_alphabet(options), max_size=4)
    width = draw(st.integers(2, 4))
    rows = draw(st.lists(st.tuples(*[value] * width), min_size=1, max_size=5))
    end = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    return Table(options, tuple(rows), quotes_all and bool(options.quote), end, draw(st.booleans()))


def _alphabet(options: Csv) -> str:
    """What a value may hold that the csv module can write, and that is no comment."""
    letters = _LATIN.replace("\x85", "") if options.encoding == "windows-1252" else _LATIN
    letters = letters if options.encoding in {"latin-1", "windows-1252"} else _UNICODE
    without = (options.comment or "") + ("" if options.quote else options.separator + "\r\n")
    return "".join(letter for letter in letters + options.quote if letter not in without)


def is_clear(table: Table) -> bool:
    """Whether it can be written in its dialect so that all readers agree."""
    values = "".join(chain.from_iterable(table.rows))
    escaped_bare = table.options.escape is not None and not table.quotes_all and _holds(values, table.options)
    broken = table.options.multi_line is False and ("\n" in values or "\r" in values)
    return not escaped_bare and not broken


def _holds(values: str, options: Csv) -> bool:
    return options.quote in values or options.escaping in values


def written(table: Table) -> bytes:
    """The file, with a comment before every line where there may be one."""
    lines = chain([table.names] if table.options.header else [], table.rows)
    comment = f"{table.options.comment} {table.options.quote}{table.end}" if table.options.comment else ""
    text = "".join(f"{comment}{_line(line, table)}{table.end}" for line in lines)
    text = text if table.is_ended else text.removesuffix(table.end)
    return text.encode(table.options.codec)


def _line(values: tuple[str, ...], table: Table) -> str:
    into = io.StringIO(newline="")
    csv.writer(into, lineterminator="\r\n", **_dialect(table)).writerow(values)  # so that it quotes both
    return into.getvalue().removesuffix("\r\n")


def read(table: Table) -> list[tuple[str, ...]]:
    """The rows as the csv module reads what it has written."""
    text = "".join(_line(row, table) + table.end for row in table.rows)
    return [tuple(row) for row in csv.reader(io.StringIO(text, newline=""), strict=True, **_dialect(table))]


def _dialect(table: Table) -> dict[str, Any]:
    options = table.options
    if not options.quote:
        return {"delimiter": options.separator, "quoting": csv.QUOTE_NONE, "quotechar": None}
    return {
        "delimiter": options.separator,
        "quoting": csv.QUOTE_ALL if table.quotes_all else csv.QUOTE_MINIMAL,
        "quotechar": options.quote,
        "doublequote": options.escape is None,
        "escapechar": options.escape,
    }
