"""What Arrow's parser says of a block of JSON lines is what our own look would find, or nothing."""

import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from flows.loading.errors import Unfit
from flows.loading.reading import json_blocks
from flows.loading.reading.found import Tokens
from flows.loading.reading.json_blocks import Batch, Expected
from flows.loading.reading.json_scan import JsonScan, scan_json

LINE = b'{"i": 1, "f": 0.5, "s": "x", "b": true, "z": null, "o": {"x": 1}, "l": [1]}\n'


@pytest.fixture(autouse=True)
def _at_any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_blocks, "_LEAST_BYTES", 0)
    monkeypatch.setattr(json_blocks, "_FIRST_LINES", 1)


def known(line: bytes = LINE) -> tuple[Expected, Tokens]:
    """What is expected after a file of one line, and that file's columns."""
    columns = Tokens(fields=scan_json([line]).columns)
    expected = Expected(Batch())
    expected.learn(line, columns)
    return expected, columns


@pytest.mark.parametrize(
    "block",
    [
        LINE * 3,
        b"{}\n" * 3,
        b'{"f": 7, "s": null}\n{"l": [], "o": null}\n{"i": null}\n',
        '{"s": "\\ud83d\\ude00 {}, Information, NaN"}\n{"s": "ü"}\n{"i" : 5}\n'.encode(),
    ],
)
def test_what_holds_nothing_else_is_counted(block: bytes) -> None:
    expected, columns = known()
    assert expected.records(block, columns) == 3


@pytest.mark.parametrize(
    "line",
    [
        b'{"i": 1, "i": 2}',
        b'{"i": null, "\\u0069": 2}',
        b'{"o": {"x": 1, "x": null}}',
        b'{"new": 1}',
        b'{"o": {"new": 1}}',
        b'{"I": 1}',
        b'{"i": 1.5}',
        b'{"i": "1"}',
        b'{"i": 12345678901234567890}',
        b'{"f": NaN}',
        b'{"f": -Infinity}',
        b'{"f": [NaN]}',
        b'{"s": 1}',
        b'{"s": "\\ud800"}',
        b'{"s": "\x01"}',
        b'{"z": 1}',
        b'{"l": [[1]]}',
        b'{"l": {"x": 1}}',
        b'{"i": 1}{"i": 2}',
        b'{"i": 1}null{"i": 2}',
        b'{"i": 1} null',
        b"null",
        b'[{"i": 1}]',
        b'{"i": \n1}',
        b'{"i": 1}{"i": \n2}',
        b'{"i": 1,}',
        b'{"i": 01}',
        b'{"i": 1} ',
        b'{"i": 1}\r',
        b"",
    ],
)
def test_of_anything_else_nothing_is_said(line: bytes) -> None:
    expected, columns = known()
    assert expected.records(LINE + line + b"\n" + LINE, columns) is None


def test_columns_of_another_file_that_has_more_are_not_taken_for_ours() -> None:
    batch = Batch()
    scan_json([b'{"a": 1.0, "o": {"x": 1, "y": 2}}\n'], batch)
    found = scan_json([b'{"a": 1, "o": {"x": 1}}\n' * 2], batch).columns
    assert (found["a"].tokens, found["o"].fields) == ({"int"}, {"x": Tokens({"int"})})


def test_what_is_often_otherwise_is_asked_about_no_more() -> None:
    expected, columns = known()
    tried = [expected.split(LINE * 2, columns) for _ in range(20) if expected.records(b'{"i": "x"}\n', columns) is None]
    assert tried == [(b"", LINE * 2)] * 4 + [(LINE * 2, b"")] * 16


TEXTS = ("", "a", "null", "NaN", "é", "\\", '"', "}{", "}\n{", "\u0000")
SPLICES = (
    *(b"null", b"NaN", b"{", b"}", b"[", b"]", b",", b":", b'"', b"\\", b"\n", b" ", b"-", b"1e400", b"{}"),
    *(b"}{", b"}\n{", b"}null{", b"\x00", b"\xff", b"0", b'"a":', b'"zz":1,', b'{"a":null}', b"\\ud800"),
)
MAKERS: Mapping[str, Callable[[random.Random], Any]] = {
    "int": lambda rng: rng.choice([0, -5, 2**40, 2**63 - 1, 2**63]),
    "float": lambda rng: rng.choice([0.5, 1e10, 3]),
    "str": lambda rng: rng.choice(TEXTS),
    "bool": lambda rng: rng.random() < 0.5,
    "null": lambda _: None,
    "object": lambda rng: {"x": rng.choice([1, None]), "y": rng.choice(TEXTS)},
    "array": lambda rng: [rng.choice([1, None]) for _ in range(rng.randrange(3))],
}


@dataclass(frozen=True)
class Lines:
    """Lines of random columns, which may be damaged."""

    rng: random.Random

    def made(self) -> tuple[list[bytes], list[bytes]]:
        """Those of one file, and those of the next."""
        kinds = {name: self.rng.choice(list(MAKERS)) for name in "abcd"[: self.rng.randrange(1, 5)]}
        files = [[self._line(kinds) for _ in range(self.rng.randrange(1, 8))] for _ in range(2)]
        damaged = bytearray(b"\n".join(files[1]))
        for _ in range(self.rng.randrange(3)):
            at = self.rng.randrange(len(damaged) + 1)
            damaged[at : at + self.rng.randrange(2)] = self.rng.choice(SPLICES)
        return files[0], bytes(damaged).split(b"\n")

    def _line(self, kinds: Mapping[str, str]) -> bytes:
        some = {name: MAKERS[kind](self.rng) for name, kind in kinds.items() if self.rng.random() < 0.9}
        return json.dumps(some, ensure_ascii=self.rng.random() < 0.5).encode()


def told(files: tuple[list[bytes], list[bytes]], batch: Batch) -> object:
    """What is found of the second file."""
    scan_json([b"\n".join(files[0]) + b"\n"], batch)
    try:
        found = scan_json([b"\n".join(files[1]) + b"\n"], batch)
    except Unfit as error:
        return str(error)
    return JsonScan(found.records, {name: _plain(one) for name, one in found.columns.items()}, found.document)


def _plain(tokens: Tokens) -> Tokens:
    """Without what makes no difference: nulls, and whole numbers among others."""
    kinds = tokens.tokens - {"null"} - ({"int"} if "float" in tokens.tokens else set())
    fields = None if tokens.fields is None else {name: _plain(one) for name, one in tokens.fields.items()}
    return Tokens(kinds, fields, None if tokens.element is None else _plain(tokens.element))


def test_nothing_else_is_found_than_by_looking_at_each_record(monkeypatch: pytest.MonkeyPatch) -> None:
    counted = 0

    def counting(expected: Expected, block: bytes, root: Tokens) -> int | None:
        nonlocal counted
        found = records(expected, block, root)
        counted += found is not None
        return found

    records = Expected.records
    monkeypatch.setattr(Expected, "records", counting)
    for seed in range(6000):
        files = Lines(random.Random(seed)).made()  # noqa: S311 - a seed to come back to
        looking = told(files, Batch(in_vain=10))
        assert told(files, Batch()) == looking, f"seed {seed}: {files}"
    assert counted > 500
