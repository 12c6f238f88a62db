"""What Spark's CSV reader is told, so that it reads exactly the records and values that our own look has judged."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from schemas.formats.csv import Csv

# Spark makes NULL of nothing between two delimiters by this text; it must not stand in a file.
NO_TEXT = "\x01autoloader: no value 4f1d8c2e-6b0a-4c53-9d57-2f0e6a7b91c3\x01"


def spark_options(options: Csv, multiline: bool, line_end: str | None = None) -> dict[str, str]:
    """The reader's options for files of this dialect; `multiline` and `line_end` are those of their `Head`.

    Nothing between delimiters is NULL, and what is quoted and empty is the empty text. Texts that stand for NULL are
    the caller's to map. Without `line_end` Spark makes a line feed of each line end within a value.
    """
    return {
        "sep": options.separator,
        "quote": options.quote,  # nothing: no character is one
        "escape": options.escaping,
        **({} if options.escaping == options.quote else {"charToEscapeQuoteEscaping": options.escaping}),
        **({"comment": options.comment} if options.comment else {}),
        "header": _word(options.header),
        "multiLine": _word(multiline),
        **({"lineSep": line_end} if multiline and line_end else {}),
        "encoding": options.java_charset,
        "nullValue": NO_TEXT,
        "emptyValue": "",
        "ignoreLeadingWhiteSpace": "false",
        "ignoreTrailingWhiteSpace": "false",
        "unescapedQuoteHandling": "STOP_AT_DELIMITER",
    }


def _word(truth: bool) -> str:
    return str(truth).lower()
