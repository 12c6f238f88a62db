"""A look at all bytes of a JSON file that owes nothing to Spark: how many records, which columns, and is it right?

Spark drops what follows a value in its line, keeps the last of two values of one key, and passes over keys that its
schema does not name, all without a word. So each line is parsed here too. A line that is not JSON at all is a record
that Spark refuses as well, with its text. Pure, and with memory for the longest line, or for a file that is one
document.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any

import orjson

from flows.loading.errors import Unfit
from flows.loading.reading.found import Tokens
from flows.loading.reading.json_blocks import Asked, Batch, Expected
from flows.loading.reading.lines import whole_lines
from flows.loading.reading.types import MAX_DEPTH
from flows.loading.reading.utf8 import checked_utf8

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from flows.loading.reading.found import Token

MAX_DOCUMENT_BYTES = 64 * 2**20  # of a file that is one document over many lines
_BLANKS = b" \t"
_TOO_DEEP = "line {} has values within values, hundreds deep; write them as a text"
_SHAPES = 4096  # shapes of records that are remembered: of columns that are often null there may be any number
_TOKENS: dict[type, Token] = {type(None): "null", bool: "bool", int: "int", float: "float", str: "str"}


@dataclass(frozen=True, slots=True)
class JsonScan:
    """A JSON file: its records, an array counting its elements; its columns; whether it is one document.

    `proven`: each record was proven to be JSON and to have nothing else than these columns.
    """

    records: int
    columns: dict[str, Tokens]
    document: bool = False
    proven: bool = False


def scan_json(pieces: Iterable[bytes], batch: Batch | None = None, *, packed: bool = False) -> JsonScan:
    """The whole of a file of JSON lines, or of one JSON document; `batch` is what its files share.

    `packed`: it is compressed, and Spark cannot go back in it to how a document spells a number.

    Raises:
        Unfit: not UTF-8; a line that is neither an object nor an array, or goes on after it; a key twice in an object;
            a number of a packed document that a double does not hold.
    """
    expected = Expected(batch or Batch())
    blocks, scanning = whole_lines(checked_utf8(pieces)), _Scanning(expected)
    while not scanning.begun and (block := next(blocks, None)) is not None:
        if _begins_a_document(block):
            block = _gathered(chain([block], blocks))
            if (document := _document(block, packed=packed)) is not None:
                return document
        scanning.take(block)
    for later, asked in expected.ahead(blocks):
        scanning.take(later, asked)
    columns = scanning.root.fields or {}
    for name, tokens in columns.items():
        tokens.plain = (expected.plain or {}).get(name)
    return JsonScan(scanning.records, columns, proven=expected.plain is not None)


def _begins_a_document(block: bytes) -> bool:
    """Whether the first line that is not blank is not the whole of a value."""
    first = block.lstrip(b" \t\n").partition(b"\n")[0].strip(_BLANKS)
    return first[:1] in {b"{", b"["} and first[-1:] not in {b"}", b"]"}


def _document(text: bytes, *, packed: bool) -> JsonScan | None:
    """The file as one document, if it is one; None for lines."""
    if len(text) > MAX_DOCUMENT_BYTES:
        return None
    rounded: list[str] = []
    try:
        value = _parsed(text, partial(_noted, rounded) if packed else float)
    except _NotJson:
        return None
    except RecursionError as error:
        raise Unfit(_TOO_DEEP.format(1)) from error
    if rounded:
        raise Unfit(
            f"{rounded[0]} would be rounded to a double in a compressed document over several lines; "
            "write JSON lines, or do not compress it"
        )
    scanning = _Scanning(Expected(Batch()))
    scanning.add(value, text)
    return JsonScan(scanning.records, scanning.root.fields or {}, document=True)


def _gathered(blocks: Iterable[bytes]) -> bytes:
    """The blocks, until they are more than a document may be."""
    parts, size = [], 0
    for block in blocks:
        parts.append(block)
        size += len(block)
        if size > MAX_DOCUMENT_BYTES:
            break
    return b"".join(parts)


class _NotJson(Exception):
    """Spark will not take this for JSON either."""


@dataclass(slots=True)
class _Scanning:
    """What is known so far.

    A record's shape is its keys and the types of their values, in its order. For each that was seen, `_nested` has the
    keys of objects and arrays: there alone a record of the same shape may have something new.
    """

    _expected: Expected
    root: Tokens = field(default_factory=lambda: Tokens(fields={}))
    records: int = 0
    _lines: int = 0
    _nested: dict[tuple[str | type, ...], list[str]] = field(default_factory=dict)

    @property
    def begun(self) -> bool:
        """Whether there was a record."""
        return self.records > 0

    def take(self, block: bytes, asked: Asked | None = None) -> None:
        """Look at a block of whole lines, of which a thread was perhaps asked."""
        first, rest = self._expected.split(block, self.root)
        self._look(first)
        if (records := self._expected.records(rest, self.root, asked)) is not None:
            self.records += records
            self._lines += records
            self._expected.prove(first)
            return
        self._look(rest)
        self._expected.learn(block, self.root)
        self._expected.prove(block)

    def _look(self, block: bytes) -> None:
        loads, add, lines = orjson.loads, self._add, block.split(b"\n")[:-1]
        keys: list[int] = []
        for number, line in enumerate(lines, self._lines + 1):
            text = line.strip(_BLANKS)
            if not text:
                keys.append(0)
                continue
            try:
                keys.append(add(loads(text), number))
            except orjson.JSONDecodeError:
                keys.append(self._add_unusual(text, number))
        if (spaced := _is_spaced(block)) or block.count(b'":') != sum(keys):
            self._look_for_duplicates(lines, keys, spaced=spaced)
        self._lines += len(lines)

    def add(self, value: Any, text: bytes) -> None:
        """Look at a document, parsed already."""
        if self._add(value, 1) != text.count(b'":') or _is_spaced(text):
            _without_duplicates(text, 1)

    def _add(self, value: Any, number: int) -> int:
        """Take in one record, or those of an array; return the number of keys."""
        try:
            if type(value) is dict:
                self.records += 1
                shape = (*value, *map(type, value.values()))
                if (nested := self._nested.get(shape)) is not None:
                    return len(value) + self._look_into(value, nested)
                if len(self._nested) < _SHAPES:
                    self._nested[shape] = [name for name, one in value.items() if type(one) in {dict, list}]
                return _take_in(self.root, value)
            if type(value) is list:
                return sum([self._add_element(one, number) for one in value])
        except RecursionError as error:
            raise Unfit(_TOO_DEEP.format(number)) from error
        raise Unfit(f"line {number} is not a JSON object: JSON lines hold one object in each line")

    def _add_element(self, value: Any, number: int) -> int:
        if type(value) is not dict:
            raise Unfit(f"line {number} is an array with something else than objects in it")
        return self._add(value, number)

    def _look_into(self, value: dict[str, Any], names: list[str]) -> int:
        """Take in what is within these columns; return the number of keys there."""
        fields = self.root.fields or {}
        return sum([_take_in(fields[name], value[name], 2) for name in names]) if names else 0

    def _add_unusual(self, text: bytes, number: int) -> int:
        """A line that the quick parser refuses: it knows no numbers like 1e999, and neither do we know better.

        Java's takes a line for UTF-16 or UTF-32 by the NULs among its first four bytes.
        """
        if b"\0" in text[:4]:
            raise Unfit(f"line {number} is not UTF-8, by a NUL at its beginning; write the whole file as UTF-8")
        _whole(text, number)
        try:
            value = _parsed(text)
        except _NotJson:
            self.records += 1
            return text.count(b'":')
        except RecursionError as error:  # Spark may follow it a little deeper
            raise Unfit(_TOO_DEEP.format(number)) from error
        if _has_surrogates(value):
            raise Unfit(f"line {number} has half of a surrogate pair, which is no character")
        return self._add(value, number)

    def _look_for_duplicates(self, lines: list[bytes], keys: list[int], *, spaced: bool) -> None:
        """Look closer at lines with more keys, as it seems, than their objects have."""
        for number, (line, known) in enumerate(zip(lines, keys, strict=True), self._lines + 1):
            if line.count(b'":') != known or (spaced and _is_spaced(line)):
                _without_duplicates(line, number)


def _is_spaced(text: bytes) -> bool:
    """Whether a blank stands before a colon, so that keys cannot be counted by their colons."""
    return b'" :' in text or b'"\t:' in text or b'"\n:' in text


def _take_in(into: Tokens, value: Any, depth: int = 1) -> int:
    """Add a value to what is known of its place, too deep as a text; return the number of keys within it."""
    if depth > MAX_DEPTH and type(value) in {dict, list}:
        into.tokens.add("str")
        into = Tokens()
    if type(value) is dict:
        fields = into.fields = {} if into.fields is None else into.fields
        if not value.keys() <= fields.keys():
            fields.update((name, Tokens()) for name in value if name not in fields)
        return len(value) + sum([_take_in(fields[name], one, depth + 1) for name, one in value.items()])
    if type(value) is list:
        element = into.element = into.element or Tokens()
        return sum([_take_in(element, one, depth + 1) for one in value])
    into.tokens.add(_TOKENS[type(value)])
    return 0


def _whole(text: bytes, number: int) -> None:
    """Refuse a line that goes on after its value, which Spark would not see."""
    if text[:1] not in {b"{", b"["}:
        raise Unfit(f"line {number} is not a JSON object: JSON lines hold one object in each line")
    try:
        _, end = json.JSONDecoder().raw_decode(text.decode())
    except (ValueError, RecursionError):
        return
    if end < len(text.decode()):
        raise Unfit(f"line {number} goes on after its object: JSON lines hold one object in each line")


def _parsed(text: bytes, number: Callable[[str], float] = float) -> Any:
    try:
        return json.loads(text.decode(), parse_float=number, parse_constant=_no_constant)
    except ValueError as error:
        raise _NotJson from error


def _noted(rounded: list[str], digits: str) -> float:
    """The number; in `rounded` if it is another."""
    number = float(digits)
    if Decimal(digits) != Decimal(repr(number)):
        rounded.append(digits)
    return number


def _has_surrogates(value: Any) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    return False


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def _without_duplicates(text: bytes, number: int) -> None:
    """Refuse a key that is in an object twice: Spark keeps only its last value."""

    def checked(pairs: list[tuple[str, Any]]) -> None:
        names = [name for name, _ in pairs]
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise Unfit(f"line {number} has the key {twice!r} twice in one object")

    try:
        json.loads(text, object_pairs_hook=checked)
    except (ValueError, RecursionError):
        return
