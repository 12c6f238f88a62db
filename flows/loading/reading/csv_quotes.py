"""Which quotes open or close a value, in a dialect in which a quote within quotes is doubled."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from flows.loading.reading.csv_windows import Bytes, Places, Window

    Truths = NDArray[np.bool_]

_LF, _CR = 10, 13


class TextAfterQuote(Exception):
    """The place at which text follows a closing quote."""

    def __init__(self, place: int) -> None:
        super().__init__()
        self.place = place


class Quotes:
    """Those of a file, from one window to the next."""

    def __init__(self, delimiter: bytes, quote: bytes) -> None:
        self._delimiter = delimiter
        (self._quote,) = quote
        self.inside = False  # a value that goes on
        self._stray = False  # the last byte is a quote that means nothing

    def toggles(self, window: Window) -> Places:
        """Those that do, in this window.

        Raises:
            TextAfterQuote: one closes in the middle of a value.
        """
        data, quotes = window.data, window.places(self._quote)
        if not quotes.size:
            self._stray = False
            return quotes
        may_open = _is_break(data[quotes - 1]) | self._is_delimiter(data, quotes - len(self._delimiter))
        may_close = _is_break(data[quotes + 1]) | self._is_delimiter(data, quotes + 1)
        may_close |= data[quotes + 1] == self._quote
        opening = np.arange(quotes.size) % 2 == self.inside
        follows = data[quotes - 1] == self._quote
        if not self._stray and bool(np.where(opening, may_open | follows, may_close).all()):
            self.inside ^= bool(quotes.size & 1)
            return quotes
        return self._one_by_one(window, quotes, may_open, may_close)

    def _one_by_one(self, window: Window, quotes: Places, may_open: Truths, may_close: Truths) -> Places:
        """The same where quotes stand within values that are not quoted: there they mean nothing."""
        toggles: list[int] = []
        stray = window.begin - 1 if self._stray else -1
        for place, opens, closes in zip(quotes.tolist(), may_open.tolist(), may_close.tolist(), strict=True):
            if self.inside and not closes:
                raise TextAfterQuote(place)
            if not self.inside and not opens and (window.text[place - 1] != self._quote or place - 1 == stray):
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
