"""The first record of a CSV file: behind lines of blanks and comments, which Spark passes over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flows.loading.errors import Unfit
from flows.loading.reading.csv_dialects import BLANKS

if TYPE_CHECKING:
    from flows.loading.reading.csv_dialects import Dialect

MAX_FIRST_BYTES = 2**20
_MAX_LETTER_BYTES = 4


class FirstRecord:
    """Its text, from pieces of any size: a header is one line, of a row more may be kept than the row."""

    def __init__(self, dialect: Dialect, *, is_header: bool) -> None:
        self._comment = dialect.comment
        self._blank_row = b"" if is_header or dialect.delimiter.strip(BLANKS) else dialect.delimiter
        self._is_header = is_header
        self._text = b""
        self._begun = self._kept = False
        self.after_blanks = False

    def take(self, piece: bytes) -> None:
        if self._kept:
            return
        self._text += piece
        if not self._begun:
            self._pass_over()
        enough = self._is_header and (b"\n" in self._text or b"\r" in self._text)
        self._kept = self._begun and (enough or len(self._text) > MAX_FIRST_BYTES)

    def end(self) -> str:
        """The text, empty when there is no record. Raises Unfit: it is a header that is too long, or no text."""
        if self._is_blank(self._text) or self._is_comment(self._text):
            return ""
        line = self._text.partition(b"\r")[0].partition(b"\n")[0]
        if b"\0" in line:
            raise Unfit("its first line holds NUL bytes; is it UTF-16? Write it as UTF-8, or name its encoding")
        if self._is_header and len(line) > MAX_FIRST_BYTES:
            raise Unfit(f"its first line is longer than {MAX_FIRST_BYTES} bytes; is it a CSV file?")
        if self._is_header and self._is_comment(line.lstrip(BLANKS)):  # Spark takes it for one above a header alone
            raise Unfit("blanks stand before the comment above its header; write it at the beginning of its line")
        kept = line if self._is_header else self._text[: MAX_FIRST_BYTES + _MAX_LETTER_BYTES]
        return kept.decode(errors="ignore")  # it may be cut within a letter

    def _pass_over(self) -> None:
        """Drop the lines that are no records; the last one may go on in the next piece."""
        at = 0
        for line in self._text.splitlines(keepends=True):
            is_blank, is_comment = self._is_blank(line), self._is_comment(line)
            if line[-1:] not in b"\r\n":
                break
            if not is_blank and not is_comment:
                self._begun = True
                break
            self.after_blanks |= is_blank and bool(line.strip(b"\r\n"))
            at += len(line)
        self._text = self._text[at:]
        self._begun |= len(self._text) > MAX_FIRST_BYTES and not self._is_comment(self._text)

    def _is_blank(self, line: bytes) -> bool:
        return not line.strip(BLANKS) and not (self._blank_row and self._blank_row in line)

    def _is_comment(self, line: bytes) -> bool:
        return bool(self._comment) and line.startswith(self._comment)
