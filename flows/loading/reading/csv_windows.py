"""The records of a CSV file in a usual dialect, found by numpy over the quotes and line ends of large windows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from flows.loading.errors import Unfit
from flows.loading.reading.csv_dialects import BLANK_ROW, BLANKS, BREAK_REFUSED, NUL_REFUSED, Found
from flows.loading.reading.csv_quotes import Quotes, TextAfterQuote

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from flows.loading.reading.csv_dialects import Dialect

    Bytes = NDArray[np.uint8]
    Places = NDArray[np.intp]
    Truths = NDArray[np.bool_]

_NUL, _LF, _CR, _SPACE = 0, 10, 13, 32


@dataclass(frozen=True, slots=True)
class Window:
    """Bytes to judge, from `begin` to `end`; around them stand as many as it takes to judge them."""

    text: bytes
    data: Bytes
    begin: int
    end: int

    def places(self, byte: int) -> Places:
        if self.text.find(byte, self.begin, self.end) < 0:
            return np.empty(0, np.intp)
        return np.flatnonzero(self.data[self.begin : self.end] == byte) + self.begin

    def is_blank(self, begin: int, end: int) -> bool:
        return not self.text[begin:end].strip(BLANKS)


class Windows:
    """The state between two pieces.

    A byte is judged with `_reach` bytes before and behind it, so that many are kept from the last piece and held back
    from this one. Before the file and behind it stands a line end.
    """

    def __init__(self, dialect: Dialect, *, may_break: bool) -> None:
        self._reach = max(2, len(dialect.delimiter))
        self._kept = b"\n" * self._reach  # judged already
        self._held = b""  # not judged yet
        self._may_break = may_break
        self._quotes = Quotes(dialect.delimiter, dialect.quote) if dialect.quote else None
        self._lines = _Lines(dialect.delimiter)
        self._record_is_empty = True
        self._ends = 0  # before this window; CRLF counts twice
        self._opened_in_line = 0
        self._found = Found()

    def take(self, piece: bytes) -> None:
        text = self._kept + self._held + piece
        if len(text) <= 2 * self._reach:
            self._held += piece
            return
        self._judge(text)
        self._kept, self._held = text[-2 * self._reach : -self._reach], text[-self._reach :]

    def end(self) -> Found:
        if self._held:
            self._judge(self._kept + self._held + b"\r" * self._reach)
        if self._quotes and self._quotes.inside:
            raise Unfit(f"the quote that is opened in line {self._opened_in_line} is never closed")
        self._lines.end()
        self._found.lines, self._found.misread = self._lines.count, BLANK_ROW if self._lines.blank_rows else ""
        self._found.records += not self._record_is_empty
        return self._found

    def _judge(self, text: bytes) -> None:
        window = Window(text, np.frombuffer(text, np.uint8), self._reach, len(text) - self._reach)
        ends = window.places(_LF)
        if (returns := window.places(_CR)).size:
            ends = np.sort(np.concatenate([ends, returns]))
        outside = self._outside(window, ends)
        self._lines.take(window, ends)
        self._count_records(window, outside)
        self._note_kinds(window, outside)
        self._ends += ends.size

    def _outside(self, window: Window, ends: Places) -> Places:
        """The line ends that are not within quotes."""
        if self._quotes is None:
            self._check_nuls(window, window.places(_NUL))
            return ends
        was_inside = self._quotes.inside
        toggles = self._toggles(window, self._quotes)
        if not was_inside and not toggles.size:
            return ends
        nuls = window.places(_NUL)
        self._check_nuls(window, nuls[_are_inside(nuls, toggles, was_inside=was_inside)])
        are_inside = _are_inside(ends, toggles, was_inside=was_inside)
        if bool(are_inside.any()):
            self._break(window, int(ends[are_inside][0]))
        if toggles.size and self._quotes.inside:
            self._opened_in_line = self._line_at(window, int(toggles[-1]))
        return ends[~are_inside]

    def _check_nuls(self, window: Window, lost: Places) -> None:
        if lost.size:
            raise Unfit(NUL_REFUSED.format(self._line_at(window, int(lost[0]))))

    def _break(self, window: Window, place: int) -> None:
        self._found.breaks = True
        if not self._may_break:
            raise Unfit(BREAK_REFUSED.format(self._line_at(window, place)))

    def _toggles(self, window: Window, quotes: Quotes) -> Places:
        try:
            return quotes.toggles(window)
        except TextAfterQuote as error:
            line = self._line_at(window, error.place)
            raise Unfit(f"line {line}: text follows a closing quote; write a quote within quotes twice") from error

    def _count_records(self, window: Window, outside: Places) -> None:
        """They end outside of quotes, and only an empty one is none."""
        if not outside.size:
            self._record_is_empty = False
            return
        empty = int(np.count_nonzero(np.diff(outside) == 1))
        first = self._record_is_empty and int(outside[0]) == window.begin
        self._found.records += outside.size - empty - first
        self._record_is_empty = int(outside[-1]) + 1 == window.end

    def _note_kinds(self, window: Window, outside: Places) -> None:
        """Which kinds of line end there are, outside of quotes."""
        found = window.data[outside]
        returns, feeds = outside[found == _CR], outside[found == _LF]
        pairs = window.data[returns + 1] == _LF
        if bool(pairs.any()):
            self._found.kinds.add("CRLF")
        if not bool(pairs.all()):
            self._found.kinds.add("CR")
        if bool((window.data[feeds - 1] != _CR).any()):
            self._found.kinds.add("LF")

    def _line_at(self, window: Window, place: int) -> int:
        """The number of the line, for people."""
        before = window.text[window.begin : place]
        ended = self._ends // 2 if "CRLF" in self._found.kinds else self._ends
        return ended + max(before.count(b"\n"), before.count(b"\r")) + 1


def _are_inside(places: Places, toggles: Places, *, was_inside: bool) -> Truths:
    """Which of these places are within quotes."""
    inside: Truths = ((np.searchsorted(toggles, places) + was_inside) & 1) == 1
    return inside


class _Lines:
    """The lines that are not blank, whatever quotes say."""

    def __init__(self, delimiter: bytes) -> None:
        self._delimiter = delimiter
        self._may_be_row = not delimiter.strip(BLANKS)
        self._is_blank, self._is_row = True, False  # of the line that goes on: so far; is it parted?
        self.count = 0
        self.blank_rows = False

    def take(self, window: Window, ends: Places) -> None:
        if not ends.size:
            self._go_on(window, window.begin, window.end)
            return
        self._go_on(window, window.begin, int(ends[0]))
        self.end()
        starts, stops = ends[:-1] + 1, ends[1:]
        blank = window.data[starts] <= _SPACE  # an empty line starts with its end
        for index in np.flatnonzero(blank & (starts < stops)).tolist():
            blank[index] = window.is_blank(starts[index], stops[index])
            self.blank_rows |= bool(blank[index]) and self._is_parted(window, starts[index], stops[index])
        self.count += int(starts.size - np.count_nonzero(blank))
        self._go_on(window, int(ends[-1]) + 1, window.end)

    def end(self) -> None:
        """End the line that goes on, and begin another."""
        self.count += not self._is_blank
        self.blank_rows |= self._is_blank and self._is_row
        self._is_blank, self._is_row = True, False

    def _go_on(self, window: Window, begin: int, end: int) -> None:
        self._is_blank = self._is_blank and window.is_blank(begin, end)
        self._is_row |= self._is_blank and self._is_parted(window, begin, end)

    def _is_parted(self, window: Window, begin: int, end: int) -> bool:
        """Whether a delimiter begins there; it may reach beyond, but no line end is in it."""
        return self._may_be_row and window.text.find(self._delimiter, begin, end + len(self._delimiter) - 1) >= 0
