"""One look of our own at each file before Spark reads it: what is wrong with it, its header, how many records it holds.

A number of records is compared with the rows that Spark has read (`readers.Looked`), so it is given only where it is
exact.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, assert_never

import pyarrow as pa
import pyarrow.parquet as pq

import storage
from flows.loading.errors import Unfit
from flows.loading.reading import beginnings
from flows.loading.reading.compression import compression, unpacked
from flows.loading.reading.csv_scan import scan_csv
from flows.loading.reading.found import Found, Texts, Typed
from flows.loading.reading.heads import Head, head
from flows.loading.reading.json_blocks import Batch
from flows.loading.reading.json_scan import scan_json
from flows.loading.reading.parquet_types import stored
from flows.loading.reading.types import ddl, quoted
from flows.loading.translation import named_errors
from schemas.formats.csv import Csv
from schemas.formats.json import Json
from schemas.formats.parquet import Parquet
from storage.objects import Unreadable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from flows.loading.reading.parquet_types import Stored
    from schemas.formats import Format
    from schemas.manifest import ManifestFile
    from storage import Storage

CONCURRENCY = 16  # each holds a few pieces of a file
_FOOTER_END = 8  # bytes: the footer's length, and the word PAR1


@dataclass(frozen=True, slots=True)
class Look:
    """What a file holds: its records and columns.

    Where only the first records were looked at, `about` says how many there are. `head` is of a CSV file; `document` of
    a JSON file that is one, `proven` as in `json_scan.JsonScan`; `stored` of a parquet file, with the `shape` of its
    columns by lower-case name: their spelling and type.
    """

    records: int
    found: Found
    about: int | None = None
    head: Head | None = None
    document: bool = False
    proven: bool = False
    stored: dict[str, Stored] = field(default_factory=dict)
    shape: Mapping[str, str] = field(default_factory=dict)


def look_at(
    files: Iterable[ManifestFile],
    format_: Format,
    credentials: str | None = None,
    *,
    glances: bool = False,
    closely: bool = False,
) -> dict[str, Look | Unfit]:
    """By URI: what was found, or why the file cannot be read rightly. `glances`: of big files, in their first records.

    `closely`: of small files of JSON too it is proven what they hold.

    Raises:
        Infrastructure, Rejected: as the storage does.
        FileNotFoundError: a file went away.
    """

    def one(file: ManifestFile) -> tuple[str, Look | Unfit]:
        try:
            looking = glance if glances and file.size > beginnings.WHOLE_BYTES else look
            return file.uri, _patiently(looking, file, storage.of(file.uri, credentials), format_, batch)
        except Unfit as error:
            return file.uri, error

    with named_errors(), ThreadPoolExecutor(os.cpu_count()) as free, ThreadPoolExecutor(CONCURRENCY) as pool:
        batch = Batch(free, closely=closely)
        return dict(pool.map(one, files))


def _patiently(
    looking: Callable[[ManifestFile, Storage, Format, Batch], Look],
    file: ManifestFile,
    place: Storage,
    format_: Format,
    batch: Batch,
) -> Look:
    """Twice, when the file cannot be read: what a storage's hiccup broke off is no fault of the file."""
    try:
        return looking(file, place, format_, batch)
    except Unreadable:
        try:
            return looking(file, place, format_, batch)
        except Unreadable as error:
            raise Unfit(str(error)) from error


def look(file: ManifestFile, place: Storage, format_: Format, batch: Batch) -> Look:
    """Read the whole of a text file, or the footer of a parquet file, whose `size` is that in the storage.

    `batch` is what its files share, if they are of JSON.

    Raises:
        Unfit: why it cannot be read rightly.
        Unreadable: it cannot be read at all.
    """
    match format_.options:
        case Csv() | Json() as options:
            return _of_text(text(file, place), options, batch, packed=compression(file.uri) is not None)
        case Parquet():
            return _footer(file, place)
        case other:
            assert_never(other)


def glance(file: ManifestFile, place: Storage, format_: Format, batch: Batch) -> Look:
    """Look at no more of a text file than its beginning, if its records can be told apart there. Raises the same."""
    match format_.options:
        case Parquet():
            whole = _footer(file, place)
            return replace(whole, records=min(whole.records, beginnings.RECORDS), about=whole.records)
        case Csv(is_wide=True):  # its lines are no lines of bytes
            return look(file, place, format_, batch)
        case Csv() | Json() as options:
            source = beginnings.Counted(place.pieces(file.uri, file.size))
            first = beginnings.of(unpacked(source, compression(file.uri)), options)
            try:
                found = _of_text([first], options, batch)
            except Unfit:  # perhaps only here, where it was cut
                return look(file, place, format_, batch)
            about = found.records * file.size // source.taken
            return replace(found, records=min(found.records, beginnings.RECORDS), about=about)
        case other:
            assert_never(other)


def _of_text(pieces: Iterable[bytes], options: Csv | Json, batch: Batch, *, packed: bool = False) -> Look:
    if isinstance(options, Csv):
        first = head(scan_csv(pieces, options), options)
        return Look(first.records, Found({name: Texts() for name in first.names}), head=first)
    found = scan_json(pieces, batch, packed=packed)
    return Look(found.records, Found(dict(found.columns)), document=found.document, proven=found.proven)


def text(file: ManifestFile, place: Storage) -> Iterable[bytes]:
    """The bytes of a text file without their compression; none of a file of 0 bytes. Raises as `look` does."""
    packed = compression(file.uri)
    if not file.size and packed is not None:
        raise Unfit(f"0 bytes: not even an empty {packed} file")
    return unpacked(place.pieces(file.uri, file.size), packed) if file.size else ()


def _footer(file: ManifestFile, place: Storage) -> Look:
    if not file.size:
        raise Unfit("0 bytes: not even an empty parquet file")
    metadata = _metadata(file, place)
    int96 = {
        metadata.schema.column(at).path.partition(".")[0]
        for at in range(metadata.num_columns)
        if metadata.schema.column(at).physical_type == "INT96"
    }
    types: dict[str, Stored] = {}
    for one in metadata.schema.to_arrow_schema():
        try:
            found = stored(one.type, is_int96=one.name in int96)
        except Unfit as error:
            raise Unfit(f"column {one.name!r}: {error}") from error
        if one.name in types:
            raise Unfit(f"it has two columns {one.name!r}")
        types[one.name] = found
    shape = {name.lower(): f"{quoted(name)} {ddl(one.read)} {ddl(one.kind)}" for name, one in types.items()}
    columns = Found({name: Typed(one.kind, made=one.value is not None) for name, one in types.items()})
    return Look(metadata.num_rows, columns, stored=types, shape=shape)


def _metadata(file: ManifestFile, place: Storage) -> pq.FileMetaData:
    end = place.tail(file.uri, file.size, min(_FOOTER_END, file.size))
    length = int.from_bytes(end[:4], "little") + _FOOTER_END
    if end[4:] == b"PARE":
        raise Unfit("its footer is encrypted; write it without encryption")
    if end[4:] != b"PAR1" or length > file.size:
        raise Unfit("it does not end as a parquet file does; it may be cut off, or be of another format")
    footer = place.tail(file.uri, file.size, length)
    try:
        return pq.read_metadata(pa.BufferReader(b"PAR1" + footer))
    except (pa.ArrowException, OSError) as error:
        raise Unfit(f"its footer cannot be read: {error}") from error
