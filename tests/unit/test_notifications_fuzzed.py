"""What storages send, broken in every way there is: `decode` answers with arrivals and rejections, and never raises."""

import json
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.errors import Rejected
from router.notifications.decode import decode
from router.notifications.record import Arrival, Position, Record
from router.notifications.requests import Request, request
from tests.builders import NOON, load_asked, request_event

SAMPLES = [path.read_bytes() for path in sorted((Path(__file__).parents[1] / "samples").glob("*.json"))]
SAMPLES.append(request_event(load_asked()))
ODD = [
    b"NaN",
    b"1e999",
    b"1" * 400,
    b'"\\ud800"',
    b'"\\u0000"',
    b"[" * 1100,
    b"{}",
    b"null",
    b'{"size":1,"size":2}',
    b"\xff",
]
HEADERS = st.lists(st.tuples(st.text(max_size=12) | st.sampled_from(["ce_id", "CE_TYPE", "ce_time"]), st.binary()))


@st.composite
def broken(draw: st.DrawFn) -> bytes:
    """A sample with pieces cut out, doubled, or replaced by something odd."""
    value = draw(st.sampled_from(SAMPLES))
    for _ in range(draw(st.integers(0, 4))):
        begin = draw(st.integers(0, len(value)))
        end = draw(st.integers(begin, min(len(value), begin + 40)))
        value = value[:begin] + draw(st.sampled_from([b"", value[begin:end] * 2, *ODD])) + value[end:]
    return value


def answers(value: bytes, headers: tuple[tuple[str, bytes], ...] = ()) -> None:
    record = Record(Position("t", 0, 7), None, value, headers, NOON)
    assert all(isinstance(entry, Arrival | Rejected) for entry in decode(record))
    with suppress(Rejected):
        assert isinstance(request(record), Request)


@given(broken(), HEADERS.map(tuple))
def test_no_broken_record_stops_a_consumer(value: bytes, headers: tuple[tuple[str, bytes], ...]) -> None:
    answers(value, headers)


@pytest.mark.parametrize("odd", ODD)
def test_no_odd_value_in_any_field_stops_a_consumer(odd: bytes) -> None:
    for sample in SAMPLES:
        for scalar in {json.dumps(found) for found in _scalars(json.loads(sample))}:
            answers(sample.replace(scalar.encode(), odd))


def _scalars(value: object) -> list[object]:
    if isinstance(value, dict):
        return [scalar for inner in value.values() for scalar in _scalars(inner)]
    if isinstance(value, list):
        return [scalar for inner in value for scalar in _scalars(inner)]
    return [value]
