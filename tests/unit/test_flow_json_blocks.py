"""What an expression says of a block of JSON lines is what our own look would find, or nothing."""

import json
import random
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

import pytest

from flows.loading.errors import Unfit
from flows.loading.reading import json_blocks
from flows.loading.reading.found import Tokens
from flows.loading.reading.json_blocks import Asked, Batch, Expected, Known
from flows.loading.reading.json_scan import JsonScan, scan_json

P = ParamSpec("P")
T = TypeVar("T")
LINE = b'{"i": 1, "f": 0.5, "s": "x", "b": true, "z": null, "o": {"x": 1}, "l": [1]}\n'


@pytest.fixture(autouse=True)
def _at_any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_blocks, "LEAST_BYTES", 0)
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
        b'{"f": 7, "s": null}\n{"o": null, "l": []}\n{"i": null}\n',
        '{"s": "\\ud83d\\uDE00 }, {} \\u00E9, NaN"}\n{"s": "ü"}\n{ "i" :\t5 } \n'.encode(),
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
        b'{"s": "\\ude00\\ud83d"}',
        b'{"s": "\\}"}',
        b'{"s": "\x01"}',
        b'{"z": 1}',
        b'{"l": [[1]]}',
        b'{"l": {"x": 1}}',
        b'{"l": [1,]}',
        b'{"s": "x", "i": 1}',
        b'{"i": 1}{"i": 2}',
        b'{"i": 1}null{"i": 2}',
        b'{"i": 1} null',
        b"null",
        b'[{"i": 1}]',
        b'{"i": \n1}',
        b'{"i": 1}{"i": \n2}',
        b'{"i": 1,}',
        b'{,"i": 1}',
        b"{,}",
        b'{"i": 01}',
        b'{"i": 1}\r',
        b"",
    ],
)
def test_of_anything_else_nothing_is_said(line: bytes) -> None:
    expected, columns = known()
    assert expected.records(LINE + line + b"\n" + LINE, columns) is None


def test_keys_may_be_missing_and_stand_in_the_order_of_all_records_so_far() -> None:
    expected, columns = known(b'{"a": 1, "c": {"x": 1, "z": 2}}\n{"b": 1, "c": {"x": 1, "y": 1}}\n{"a": 1, "b": 1}\n')
    assert expected.records(b'{"a": 1, "b": 2, "c": {"z": 3}}\n{"b": 1}\n{"c": {"x": 1}}\n', columns) == 3
    assert expected.records(b'{"c": {"z": 3, "x": 3}}\n', columns) is None


def test_the_order_of_keys_is_looked_for_no_more_where_none_are_new() -> None:
    batch = Batch()
    scan_json([LINE], batch)
    assert batch.known is not None
    keys = batch.known.keys
    few = Tokens(fields=scan_json([b'{"i": 1, "s": "x"}\n']).columns)
    expected = Expected(batch)
    block = b'{"s": "y"}\n{"i": 2, "s": "z"}\n'
    before = expected.records(block, few)
    expected.learn(block, few)

    assert (before, expected.records(block, few)) == (None, 2)
    assert batch.known.keys is keys


def test_what_another_file_learnt_meanwhile_is_not_learnt_again() -> None:
    batch, columns = Batch(), Tokens(fields=scan_json([LINE]).columns)
    at_once = [Expected(batch), Expected(batch)]
    learnt = []
    for expected in at_once:
        expected.learn(LINE, columns)
        learnt.append(batch.known)

    assert learnt[0] is learnt[1] is not None
    assert [expected.records(LINE * 2, columns) for expected in at_once] == [2, 2]


def test_keys_in_another_order_are_expected_anew() -> None:
    expected, columns = known(b'{"a": 1, "b": 2}\n')
    other = b'{"b": 1, "a": 2}\n'
    before = expected.records(other, columns)
    expected.learn(other, columns)

    assert (before, expected.records(other * 3, columns)) == (None, 3)


@pytest.mark.parametrize(
    "text",
    [
        b'{"a": 1, "b": 2}\n{"b": 2, "a": 1}\n',
        json.dumps({f"column {number}": 1 for number in range(1000)}).encode() + b"\n",
    ],
)
def test_without_an_order_or_with_too_many_columns_nothing_is_expected(text: bytes) -> None:
    expected, columns = known(text)
    assert expected.records(text, columns) is None
    assert expected.split(text, columns) == (text, b"")


def test_values_within_values_are_expected_by_an_expression_that_grows_with_them_alone() -> None:
    line = b'{"a": ' + b"[" * 28 + b'{"x": 1}' + b"]" * 28 + b"}\n"
    expected, columns = known(line)
    assert expected.records(line * 3, columns) == 3


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


def told(files: tuple[list[bytes], list[bytes]], batch: Batch, lines: int = 9) -> object:
    """What is found of the second file, read by so many lines at once."""
    scan_json([b"\n".join(files[0]) + b"\n"], batch)
    pieces = [b"\n".join([*files[1][at : at + lines], b""]) for at in range(0, len(files[1]), lines)]
    try:
        found = scan_json(pieces, batch)
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

    def counting(expected: Expected, block: bytes, root: Tokens, asked: Asked | None = None) -> int | None:
        nonlocal counted
        found = records(expected, block, root, asked)
        counted += found is not None
        return found

    records = Expected.records
    monkeypatch.setattr(Expected, "records", counting)
    with ThreadPoolExecutor() as threads:
        for seed in range(6000):
            files, lines = Lines(random.Random(seed)).made(), seed % 3 or 9  # noqa: S311 - a seed to come back to
            looking = told(files, Batch(in_vain=10), lines)
            assert told(files, Batch(threads), lines) == looking, f"seed {seed}: {files}"
    assert counted > 500


class Threads(Executor):
    """Threads that are all free, or all at work; how often they were asked."""

    def __init__(self, *, are_free: bool) -> None:
        self._are_free = are_free
        self.asked = 0

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        self.asked += 1
        future: Future[T] = Future()
        if self._are_free:
            future.set_result(fn(*args, **kwargs))
        return future


@pytest.mark.parametrize("are_free", [True, False])
def test_of_each_block_one_thread_says_whether_it_holds_nothing_else(
    monkeypatch: pytest.MonkeyPatch, *, are_free: bool
) -> None:
    said = []

    def saying(known: Known, block: bytes) -> bool:
        said.append(block)
        return are_all_of(known, block)

    are_all_of = Known.are_all_of
    monkeypatch.setattr(Known, "are_all_of", saying)
    threads = Threads(are_free=are_free)
    blocks = [LINE * number for number in range(1, 10)]

    assert scan_json(blocks, Batch(threads)).records == 45
    assert sorted(said) == blocks
    assert threads.asked == 8
