"""One look of our own at each file before Spark reads it: what is wrong with it, its header, how many records it holds.

A number of records is compared with the rows that Spark has read (`readers.Looked`), so it is given only where it is
exact.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, assert_never

import pyarrow as pa
import pyarrow.parquet as pq

import storage
from flows.loading.errors import Unfit
from flows.loading.reading.compression import compression, unpacked
from flows.loading.reading.csv_scan import scan_csv
from flows.loading.reading.heads import Head, head
from flows.loading.reading.json_scan import scan_json_lines
from flows.loading.translation import named_errors
from schemas.formats.csv import Csv
from schemas.formats.json import Json
from schemas.formats.parquet import Parquet
from storage.objects import Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from schemas.formats import Format
    from schemas.manifest import ManifestFile
    from storage import Storage

CONCURRENCY = 16  # each holds a few pieces of a file
_FOOTER_END = 8  # bytes: the footer's length, and the word PAR1


@dataclass(frozen=True, slots=True)
class Look:
    """What a file holds: its records, None when only a parser could tell; the head of a CSV file."""

    records: int | None
    head: Head | None = None


def look_at(files: Iterable[ManifestFile], format_: Format, credentials: str | None = None) -> dict[str, Look | Unfit]:
    """By URI: what was found, or why the file cannot be read rightly.

    Raises:
        Infrastructure, Rejected: as the storage does.
        FileNotFoundError: a file went away.
    """

    def one(file: ManifestFile) -> tuple[str, Look | Unfit]:
        try:
            return file.uri, _patiently(file, storage.of(file.uri, credentials), format_)
        except Unfit as error:
            return file.uri, error

    with named_errors(), ThreadPoolExecutor(CONCURRENCY) as pool:
        return dict(pool.map(one, files))


def _patiently(file: ManifestFile, place: Storage, format_: Format) -> Look:
    """Twice, when the file cannot be read: what a storage's hiccup broke off is no fault of the file."""
    try:
        return look(file, place, format_)
    except Unreadable:
        try:
            return look(file, place, format_)
        except Unreadable as error:
            raise Unfit(str(error)) from error


def look(file: ManifestFile, place: Storage, format_: Format) -> Look:
    """Read the whole of a text file, or the footer of a parquet file, whose `size` is that in the storage.

    Raises:
        Unfit: why it cannot be read rightly.
        Unreadable: it cannot be read at all.
    """
    match format_.options:
        case Csv() as options:
            found = scan_csv(_text(file, place), options)
            return Look(found.records, head(found, options))
        case Json():
            return Look(scan_json_lines(_text(file, place)))
        case Parquet():
            return Look(_rows_in_footer(file, place))
        case other:
            assert_never(other)


def _text(file: ManifestFile, place: Storage) -> Iterable[bytes]:
    """The bytes of a text file without their compression; none of a file of 0 bytes."""
    packed = compression(file.uri)
    if not file.size and packed is not None:
        raise Unfit(f"0 bytes: not even an empty {packed} file")
    return unpacked(place.pieces(file.uri, file.size), packed) if file.size else ()


def _rows_in_footer(file: ManifestFile, place: Storage) -> int | None:
    if not file.size:
        raise Unfit("0 bytes: not even an empty parquet file")
    if file.size <= _FOOTER_END:
        return None
    end = place.tail(file.uri, file.size, _FOOTER_END)
    length = int.from_bytes(end[:4], "little") + _FOOTER_END
    if end[4:] != b"PAR1" or length > file.size:
        return None  # Spark says what it is, if it knows better
    footer = place.tail(file.uri, file.size, length)
    try:
        return int(pq.read_metadata(pa.BufferReader(b"PAR1" + footer)).num_rows)
    except (pa.ArrowException, OSError):
        return None
