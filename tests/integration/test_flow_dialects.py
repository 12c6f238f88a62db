"""Spark reads the files of a dialect as our own look has judged them, and as the csv module does."""

import bz2
import codecs
import gzip
import json
import os
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, Phase, given, settings

from flows.loading.errors import Unfit
from flows.loading.reading.compression import compression, unpacked
from flows.loading.reading.csv_options import spark_options
from flows.loading.reading.csv_scan import scan_csv
from flows.loading.reading.heads import head
from schemas.formats.csv import Csv
from schemas.formats.encodings import JAVA_CHARSETS
from tests.dialects import Table, read, tables, written
from tests.integration.flow_site import PROJECT

pytestmark = pytest.mark.integration

# Two hundred readers of a few rows each: what makes code for many rows costs more than it saves.
QUICK = {
    "spark.master": "local[2]",
    "spark.ui.enabled": "false",
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
}


@dataclass(frozen=True)
class Case:
    """A file in a dialect, and the rows that it holds; None for NULL."""

    content: bytes
    options: Csv
    rows: Sequence[tuple[str | None, ...]]
    ending: str = ".csv"

    def file(self, path: Path) -> dict[str, object]:
        """Land it, and say how Spark is to read it. Raises Unfit when it is none that is read."""
        pieces = [self.content[at : at + 999] for at in range(0, len(self.content), 999)]
        scan = scan_csv(unpacked(pieces, compression(self.ending)), self.options)
        found = head(scan, self.options)
        assert found.records == len(self.rows), self
        path.write_bytes(self.content)
        options = spark_options(self.options, found.multiline, found.line_end)
        return {"path": str(path), "width": found.width, "options": options}


def spark_reads(cases: Sequence[Case], folder: Path) -> list[list[tuple[str | None, ...]]]:
    """The rows of each; all in one Spark of its own. Of none of them does it say that something is wrong."""
    told = folder / "files.json"
    told.write_text(json.dumps([case.file(folder / f"{n}{case.ending}") for n, case in enumerate(cases)]))
    command = [sys.executable, "-m", "tests.integration.flow_dialects", str(told)]
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("SPARK_", "AWS_"))}
    environ.update(PYTHONPATH=str(PROJECT), AUTOLOADER_SPARK_CONF=json.dumps(QUICK))
    subprocess.run(command, env=environ, cwd=PROJECT, check=True, capture_output=True)
    found = json.loads(told.read_text())
    assert [row[0] for rows in found for row in rows if row[0] is not None] == []
    return [[tuple(row[1:]) for row in rows] for rows in found]


def random_cases() -> Iterator[Case]:
    """Those that are not refused: some of what the csv module writes can be read in two ways."""
    drawn: list[Table] = []

    @settings(max_examples=130, phases=[Phase.generate], database=None, suppress_health_check=[HealthCheck.too_slow])
    @given(tables())
    def draw(table: Table) -> None:
        drawn.append(table)

    draw()
    for table in dict.fromkeys(drawn):
        content = written(table)
        try:
            scan_csv([content], table.options)
        except Unfit:
            continue
        yield Case(content, table.options, read(table))


def blocks(codec: str, content: bytes) -> bytes:
    """As Hadoop packs: one block, one chunk."""
    chunk: bytes = pa.compress(content, codec, asbytes=True)
    return len(content).to_bytes(4, "big") + len(chunk).to_bytes(4, "big") + chunk


def zst(content: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(content)
    return bytes(sink.getvalue().to_pybytes())


PACKED: Mapping[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".zst": zst,
    ".deflate": zlib.compress,
    ".snappy": lambda content: blocks("snappy", content),
    ".lz4": lambda content: blocks("lz4_raw", content),
}


def odd_cases() -> Iterator[Case]:
    whole = b'a,b\n1,"x\r\ny"\n,""\n'
    rows = [("1", "x\r\ny"), (None, "")]
    yield Case(whole, Csv(), rows)
    yield Case(b"\xef\xbb\xbf" + whole, Csv(), rows)
    yield Case(b"\xef\xbb\xbf" + whole, Csv(header=False), [("a", "b"), *rows])
    yield Case(b"\xef\xbb\xbf1,2\n", Csv(header=False), [("1", "2")])
    yield Case(whole, Csv(names=("c", "d")), rows)
    yield Case(whole[4:], Csv(header=False, names=("c", "d")), rows)
    yield Case(whole.replace(b"\n1", b"\r\n1").replace(b'"\n', b'"\r\n'), Csv(), rows)
    yield Case(b'"a\nb",c\r\n1,2\r\n', Csv(header=False), [("a\nb", "c"), ("1", "2")])
    yield Case(b"#x\n\n#\"\na,b\n1,#\n#z,\n \n'2',3\n#", Csv(comment="#", quote="'"), [("1", "#"), ("2", "3")])
    yield Case(b'#x\na,b\n1,"#\n#z"\n#z,"\n#', Csv(comment="#"), [("1", "#\n#z")])
    yield Case(b"a\tb\n\t\n1\t\n", Csv(delimiter="\\t"), [(None, None), ("1", None)])
    yield Case(b"\t", Csv(delimiter="\\t", header=False), [(None, None)])
    yield Case(b'a,b\n"x"",2\n', Csv(quote=""), [('"x""', "2")])
    yield Case(b'a,b\n5" pipe,6"\n', Csv(), [('5" pipe', '6"')])
    yield Case(b'a,b\n"\\"\\\\","\\n"\nc:\\d,\n', Csv(escape="\\"), [('"\\', "\\n"), ("c:\\d", None)])
    yield Case(
        b'a||b\n1|||"x"y\n"p||q"||\n||"s""t"\n', Csv(delimiter="||"), [("1", '|"x"y'), ("p||q", None), (None, 's"t')]
    )
    yield Case("a\n\ufeff1\n".encode("utf-16"), Csv(encoding="utf-16"), [("\ufeff1",)])
    for ending, pack in PACKED.items():
        yield Case(pack(b"a,b\n1,x\n2,y\n"), Csv(), [("1", "x"), ("2", "y")], f".csv{ending}")
        yield Case(pack(whole), Csv(), rows, f".csv{ending}")


def encoded_cases() -> Iterator[Case]:
    """All letters of each encoding that has one byte for each, and some of the others'."""
    for name in JAVA_CHARSETS:
        has_bytes = len("é".encode(name, "replace")) == 1
        decoded = codecs.decode(bytes(range(32, 256)), name, "ignore") if has_bytes else "é日"
        letters = [letter for letter in decoded if letter not in '",\ufffd']
        yield Case(f"a,b\n1,{''.join(letters)}\n".encode(name), Csv(encoding=name), [("1", "".join(letters))])


Readings = list[tuple[Case, list[tuple[str | None, ...]]]]


@pytest.fixture(scope="module")
def readings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Readings]:
    """What Spark reads of each case: one Spark for all, for it takes longer to begin than to read."""
    kinds = {"random": [*random_cases()], "odd": [*odd_cases()], "encoded": [*encoded_cases()]}
    cases = [case for of_kind in kinds.values() for case in of_kind]
    found = iter(zip(cases, spark_reads(cases, tmp_path_factory.mktemp("dialects")), strict=True))
    return {kind: [next(found) for _ in of_kind] for kind, of_kind in kinds.items()}


def test_spark_reads_what_the_csv_module_reads_in_random_dialects(readings: dict[str, Readings]) -> None:
    assert len(readings["random"]) >= 60
    for case, rows in readings["random"]:
        assert [tuple(value or "" for value in row) for row in rows] == case.rows, case


def test_spark_reads_the_odd_ones_as_our_own_look_does(readings: dict[str, Readings]) -> None:
    for case, rows in readings["odd"]:
        assert rows == case.rows, case


def test_spark_reads_the_letters_of_every_encoding_as_python_does(readings: dict[str, Readings]) -> None:
    assert {case.options.encoding for case, _ in readings["encoded"]} == JAVA_CHARSETS.keys()
    for case, rows in readings["encoded"]:
        assert rows == case.rows, case
