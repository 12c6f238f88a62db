"""Which files of a batch must not make a table, or columns of one: they are none of their source. Pure."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from flows.loading.reading.found import Texts

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from flows.loading.reading.found import Found
    from schemas.config.sources import Columns


def strangers(found: Mapping[str, Found], columns: Columns) -> dict[str, str]:
    """Files that share no column with most of the others, or with the configuration: they must not make the table."""
    given = {name.lower() for name in (*columns.columns, *columns.required)}
    hints = {name.lower() for name in columns.hints}
    names = {uri: {name.lower() for name in one.columns} for uri, one in found.items() if one.columns}
    nameless = without_names(found, given | hints)
    files = {uri: known_names for uri, known_names in names.items() if uri not in nameless}
    count = Counter(name for names in files.values() for name in names)
    usual = hints | (given or {name for name, times in count.items() if 2 * times > len(files)})
    if not usual:
        why = "most files of its batch have other columns, and so no table is made; give the columns as schema.columns"
        return nameless | dict.fromkeys(files, why)
    return nameless | {
        uri: f"it has none of the columns that the table shall have, such as {min(usual)!r}; its columns are "
        f"{listed(sorted(names))}"
        for uri, names in files.items()
        if not names & usual
    }


def without_names(found: Mapping[str, Found], known: Collection[str]) -> dict[str, str]:
    """Files that have none of the known columns (lower case) and whose first line holds values, or is of a page."""
    return {
        uri: why
        for uri, one in found.items()
        if not {name.lower() for name in one.columns} & set(known) and (why := _nameless(one)) is not None
    }


_VALUE = re.compile(r"[+-]?\d*[.,]?\d+([eE][+-]?\d+)?|\d{1,4}[-/.:]\d\d.*|[<{\[].*", re.DOTALL)
_YEAR = re.compile(r"(19|20)\d\d")


def _nameless(file: Found) -> str | None:
    """Why the first line of a file of texts names no columns: it holds values, or is of a page."""
    for name, values in file.columns.items():
        if isinstance(values, Texts) and _VALUE.fullmatch(name) and not _YEAR.fullmatch(name):
            return (
                f"its first line does not look like names of columns: {name[:60]!r}; if it is, give the table's "
                "columns as schema.columns"
            )
    return None


def listed(names: Sequence[str], most: int = 8) -> str:
    """The first of these names, for people."""
    shown = ", ".join(map(repr, names[:most]))
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown
