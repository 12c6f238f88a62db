"""Of a big file a preview looks at the beginning, unless its records cannot be told apart there."""

from pathlib import Path

from flows.loading.reading import beginnings, looks
from flows.loading.reading.json_blocks import Batch
from schemas.formats import Format
from schemas.manifest import ManifestFile
from storage import local

ROWS = 1_200_000


def glanced(file: Path, text: str, encoding: str) -> looks.Look:
    file.write_bytes(text.encode(encoding))
    size = file.stat().st_size
    assert size > beginnings.BYTES
    known = ManifestFile(uri=f"file://{file}", version="v", size=size)
    return looks.glance(known, local, Format.model_validate({"csv": {"encoding": encoding}}), Batch())


def test_the_first_records_are_looked_at_up_to_the_end_of_a_line_that_is_within_no_quotes(tmp_path: Path) -> None:
    found = glanced(tmp_path / "a.csv", "n,text\n" + '7,"x\ny"\n' * ROWS, "utf-8")

    assert found.records == beginnings.RECORDS
    assert found.about is not None
    assert 0.99 * ROWS < found.about < 1.01 * ROWS


def test_a_file_in_which_a_line_feed_is_more_than_a_byte_is_looked_at_to_its_end(tmp_path: Path) -> None:
    found = glanced(tmp_path / "a.csv", "n,text\n" + "7,xxxx\n" * ROWS, "utf-16-le")

    assert (found.records, found.about) == (ROWS, None)
