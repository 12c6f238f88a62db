"""A look at all bytes of a CSV file that owes nothing to Spark: is it right, and how many records does it hold?

Spark's readers replace bytes that are not UTF-8, end an open quote where it suits them and drop what follows a value,
all without a word. So each file is read once here, in pieces and with bounded memory, and what is found decides how
Spark reads it and is compared with what Spark has read. Pure: bytes come in, a result or `Unfit` comes out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from flows.loading.errors import Unfit
from flows.loading.reading.utf8 import checked_utf8

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]
    Places = NDArray[np.intp]
    Truths = NDArray[np.bool_]

MAX_HEADER_BYTES = 2**20
_LF, _CR, _QUOTE, _SPACE = 10, 13, 34, 32
_BLANKS = bytes(range(_SPACE + 1))  # what Java's `trim` takes away: Spark reads no record from a line of these


@dataclass(frozen=True, slots=True)
class CsvScan:
    """A CSV file: its first line (empty when there is none), the records after it; whether values hold line ends."""

    header: str
    rows: int
    multiline: bool


def scan_csv(pieces: Iterable[bytes], delimiter: str) -> CsvScan:
    """The whole of a CSV file with a header line; quotes as in RFC 4180, line ends of any kind.

    Raises:
        Unfit: not UTF-8; a quote that is not closed, or closed in the middle of a value; a header that is too long;
            line ends of several kinds where values hold line ends.
    """
    scanning = _CsvScanning(delimiter.encode())
    for piece in checked_utf8(pieces):
        scanning.take(piece)
    return scanning.end()


@dataclass(frozen=True, slots=True)
class _Window:
    """Bytes to judge, from `begin` to `end`; around them stand as many as it takes to judge them."""

    text: bytes
    data: Bytes
    begin: int
    end: int

    def holds(self, byte: int) -> bool:
        return self.text.find(byte, self.begin, self.end) >= 0

    def places(self, byte: int) -> Places:
        if not self.holds(byte):
            return np.empty(0, np.intp)
        return np.flatnonzero(self.data[self.begin : self.end] == byte) + self.begin

    def is_blank(self, begin: int, end: int) -> bool:
        return not self.text[begin:end].strip(_BLANKS)


class _TextAfterQuote(Exception):
    """The place at which text follows a closing quote."""

    def __init__(self, place: int) -> None:
        super().__init__()
        self.place = place


class _CsvScanning:
    """The state between two pieces.

    A byte is judged with `_reach` bytes before and behind it, so that many are kept from the last piece and held back
    from this one. Before the file and behind it stands a line end.
    """

    def __init__(self, delimiter: bytes) -> None:
        self._reach = max(2, len(delimiter))
        self._kept = b"\n" * self._reach  # judged already
        self._held = b""  # not judged yet
        self._header = _Header()
        self._quotes = _Quotes(delimiter)
        self._lines, self._line_is_blank = 0, True
        self._records, self._record_is_empty = 0, True
        self._ends = 0  # before this window; CRLF counts twice
        self._opened_in_line = 0
        self._multiline = False
        self._kinds: set[str] = set()

    def take(self, piece: bytes) -> None:
        self._header.take(piece)
        text = self._kept + self._held + piece
        if len(text) <= 2 * self._reach:
            self._held += piece
            return
        self._judge(text)
        self._kept, self._held = text[-2 * self._reach : -self._reach], text[-self._reach :]

    def end(self) -> CsvScan:
        if self._held:
            self._judge(self._kept + self._held + b"\n" * self._reach)
        if self._quotes.inside:
            raise Unfit(f"the quote that is opened in line {self._opened_in_line} is never closed")
        if self._multiline:
            self._check_multiline()
        lines, records = self._lines + (not self._line_is_blank), self._records + (not self._record_is_empty)
        return CsvScan(self._header.end(), max(0, (records if self._multiline else lines) - 1), self._multiline)

    def _check_multiline(self) -> None:
        if len(self._kinds) > 1:
            kinds = " and ".join(sorted(self._kinds))
            raise Unfit(f"its values hold line breaks, and its lines end in {kinds}; write one kind of line end")
        if self._header.after_blanks:
            raise Unfit("its values hold line breaks, and a line of blanks stands before its header; remove that line")

    def _judge(self, text: bytes) -> None:
        window = _Window(text, np.frombuffer(text, np.uint8), self._reach, len(text) - self._reach)
        ends = window.places(_LF)
        if (returns := window.places(_CR)).size:
            ends = np.sort(np.concatenate([ends, returns]))
        was_inside = self._quotes.inside
        toggles = self._toggles(window)
        outside = ends
        if was_inside or toggles.size:
            outside = ends[((np.searchsorted(toggles, ends) + was_inside) & 1) == 0]
            self._multiline |= outside.size < ends.size
        self._count_lines(window, ends)
        self._count_records(window, outside)
        self._note_kinds(window, outside)
        if toggles.size and self._quotes.inside:
            self._opened_in_line = self._line_at(window, int(toggles[-1]))
        self._ends += ends.size

    def _toggles(self, window: _Window) -> Places:
        try:
            return self._quotes.toggles(window)
        except _TextAfterQuote as error:
            line = self._line_at(window, error.place)
            raise Unfit(f"line {line}: text follows a closing quote; write a quote within quotes twice") from error

    def _count_lines(self, window: _Window, ends: Places) -> None:
        """Count the lines that are not blank, and remember whether the one that goes on is."""
        if not ends.size:
            self._line_is_blank = self._line_is_blank and window.is_blank(window.begin, window.end)
            return
        starts = np.concatenate([[window.begin], ends[:-1] + 1])
        blank = window.data[starts] <= _SPACE  # an empty line starts with its end
        for index in np.flatnonzero(blank & (starts < ends)).tolist():
            blank[index] = window.is_blank(starts[index], ends[index])
        blank[0] = blank[0] and self._line_is_blank
        self._lines += int(ends.size - np.count_nonzero(blank))
        self._line_is_blank = window.is_blank(int(ends[-1]) + 1, window.end)

    def _count_records(self, window: _Window, outside: Places) -> None:
        """The same with records: they end outside of quotes, and only an empty one is none."""
        if not outside.size:
            self._record_is_empty = False
            return
        empty = int(np.count_nonzero(np.diff(outside) == 1))
        first = self._record_is_empty and int(outside[0]) == window.begin
        self._records += outside.size - empty - first
        self._record_is_empty = int(outside[-1]) + 1 == window.end

    def _note_kinds(self, window: _Window, outside: Places) -> None:
        """Which kinds of line end there are, outside of quotes."""
        found = window.data[outside]
        returns, feeds = outside[found == _CR], outside[found == _LF]
        pairs = window.data[returns + 1] == _LF
        if bool(pairs.any()):
            self._kinds.add("CRLF")
        if not bool(pairs.all()):
            self._kinds.add("CR")
        if bool((window.data[feeds - 1] != _CR).any()):
            self._kinds.add("LF")

    def _line_at(self, window: _Window, place: int) -> int:
        """The number of the line, for people."""
        before = window.text[window.begin : place]
        ended = self._ends // 2 if "CRLF" in self._kinds else self._ends
        return ended + max(before.count(b"\n"), before.count(b"\r")) + 1


class _Header:
    """The first line that is not blank."""

    def __init__(self) -> None:
        self._begun = b""
        self._found: str | None = None
        self.after_blanks = False

    def take(self, piece: bytes) -> None:
        if self._found is not None:
            return
        *whole, self._begun = re.split(rb"[\r\n]", self._begun + piece)
        for line in whole:
            if line.strip(_BLANKS):
                self._found = self._text(line)
                return
            self.after_blanks |= bool(line)
        if len(self._begun) > MAX_HEADER_BYTES:
            raise Unfit(f"its first line is longer than {MAX_HEADER_BYTES} bytes; is it a CSV file?")

    def end(self) -> str:
        if self._found is None and self._begun.strip(_BLANKS):
            self._found = self._text(self._begun)
        return self._found or ""

    @staticmethod
    def _text(line: bytes) -> str:
        if b"\0" in line:
            raise Unfit("its header holds NUL bytes; is it UTF-16? Write it as UTF-8")
        return line.decode()


class _Quotes:
    """Which quotes open or close a value, from one piece to the next."""

    def __init__(self, delimiter: bytes) -> None:
        self._delimiter = delimiter
        self.inside = False  # a value that goes on
        self._stray = False  # the last byte is a quote that means nothing

    def toggles(self, window: _Window) -> Places:
        """Those that do, in this window.

        Raises:
            _TextAfterQuote: one closes in the middle of a value.
        """
        data, quotes = window.data, window.places(_QUOTE)
        if not quotes.size:
            self._stray = False
            return quotes
        may_open = _is_break(data[quotes - 1]) | self._is_delimiter(data, quotes - len(self._delimiter))
        may_close = _is_break(data[quotes + 1]) | self._is_delimiter(data, quotes + 1)
        may_close |= data[quotes + 1] == _QUOTE
        opening = np.arange(quotes.size) % 2 == self.inside
        follows = data[quotes - 1] == _QUOTE
        if not self._stray and bool(np.where(opening, may_open | follows, may_close).all()):
            self.inside ^= bool(quotes.size & 1)
            return quotes
        return self._one_by_one(window, quotes, may_open, may_close)

    def _one_by_one(self, window: _Window, quotes: Places, may_open: Truths, may_close: Truths) -> Places:
        """The same where quotes stand within values that are not quoted: there they mean nothing."""
        toggles: list[int] = []
        stray = window.begin - 1 if self._stray else -1
        for place, opens, closes in zip(quotes.tolist(), may_open.tolist(), may_close.tolist(), strict=True):
            if self.inside and not closes:
                raise _TextAfterQuote(place)
            if not self.inside and not opens and (window.text[place - 1] != _QUOTE or place - 1 == stray):
                stray = place
                continue
            toggles.append(place)
            self.inside = not self.inside
        self._stray = stray == window.end - 1
        return np.array(toggles, np.intp)

    def _is_delimiter(self, data: Bytes, places: Places) -> Truths:
        """Where a delimiter begins."""
        same: Truths = data[places] == self._delimiter[0]
        for offset, byte in enumerate(self._delimiter[1:], 1):
            same &= data[places + offset] == byte
        return same


def _is_break(found: Bytes) -> Truths:
    either: Truths = (found == _LF) | (found == _CR)
    return either
