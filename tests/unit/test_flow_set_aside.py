"""A file is set aside for what is wrong with it, not for what happened to the storage while it was read."""

from pathlib import Path
from typing import Any, Self, cast

import pytest
from pyspark.sql import SparkSession

from flows.loading.errors import Unreadable
from flows.loading.files import Files
from flows.loading.reading import probe
from flows.loading.reading.reading import Reading
from flows.loading.steps import Steps
from schemas.formats import Format
from schemas.formats.csv import Csv
from schemas.manifest import Manifest, ManifestFile


class Spark:
    """A session that reads a file alone: it does, or it raises. Every call but the last gives itself."""

    def __init__(self, trouble: Exception | None = None) -> None:
        self.trouble = trouble
        self.reads = 0

    def __getattr__(self, name: str) -> Self:
        return self

    def __call__(self, *_: Any, **__: Any) -> Self:
        return self

    def save(self) -> None:
        self.reads += 1
        if self.trouble is not None:
            raise self.trouble


def a_reading(file: Path, spark: Spark) -> Reading:
    manifest = Manifest(
        source_id="orders-v1", source_name="orders", table="lake.sales.orders", format=Format(csv=Csv())
    )
    uri = f"file://{file}"
    seen = probe.look_up(uri, ["file:///"])
    assert seen is not None
    files = Files([ManifestFile(uri=uri, version=seen.version, size=0)])
    return Reading(cast("SparkSession", spark), manifest, files, Steps())


def broken(path: str, *, malformed: bool = False) -> Unreadable:
    error = Unreadable("Input/output error", path, encoded=False)
    error.malformed = malformed
    return error


def read_after(reading: Reading, *troubles: Exception) -> int:
    """How many files are left once reading has met these troubles, one after the other."""
    waiting = list(troubles)

    def read() -> int:
        if waiting and reading.files.left:
            raise waiting.pop(0)
        return len(reading.files.left)

    return reading.without_unreadable(read)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a.csv"
    path.write_text("a\n1\n")
    return path


def uri(file: Path) -> str:
    return f"file://{file}"


def test_a_file_that_can_be_read_alone_is_read_again(file: Path) -> None:
    reading = a_reading(file, Spark())

    assert read_after(reading, broken(uri(file), malformed=False)) == 1


def test_a_file_that_cannot_be_read_twice_is_quarantined_though_alone_it_can(file: Path) -> None:
    spark = Spark()
    reading = a_reading(file, spark)

    assert read_after(reading, broken(uri(file)), broken(uri(file))) == 0

    assert spark.reads == 1
    assert reading.files.ended[uri(file)].reason == "Input/output error"


def test_a_file_that_cannot_be_read_alone_either_is_quarantined(file: Path) -> None:
    reading = a_reading(file, Spark(broken(uri(file))))

    assert read_after(reading, broken(uri(file))) == 0

    assert reading.files.ended[uri(file)].outcome == "quarantined"


def test_a_record_that_does_not_fit_needs_no_second_look(file: Path) -> None:
    spark = Spark()

    assert read_after(a_reading(file, spark), broken(uri(file), malformed=True)) == 0

    assert spark.reads == 0


def test_a_file_that_was_overwritten_is_superseded_and_not_quarantined(file: Path) -> None:
    reading = a_reading(file, Spark())
    recorded = reading.files.left[uri(file)].version
    file.write_text("a\n1\n2\n")

    assert read_after(reading, broken(uri(file), malformed=True)) == 0

    ended = reading.files.ended[uri(file)]
    assert ended.outcome == "superseded"
    assert f"version {recorded} was recorded" in (ended.reason or "")
    assert "(6 bytes)" in (ended.reason or "")


def test_a_size_that_was_told_is_replaced_by_that_in_the_storage(file: Path) -> None:
    reading = a_reading(file, Spark())

    reading.begin()

    assert reading.files.left[uri(file)].size == 4


def test_a_file_that_is_there_and_cannot_be_read_is_set_aside_by_name(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: Any) -> Any:
        raise OSError(5, "Input/output error")

    reading = a_reading(file, Spark())
    monkeypatch.setattr(Path, "open", failing)

    reading.begin()

    assert reading.files.ended[uri(file)].reason == "it cannot be read: Input/output error"
