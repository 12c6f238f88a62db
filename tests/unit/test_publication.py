"""What becomes of an event when the broker has answered."""

import json
from datetime import timedelta

import pytest

from router.errors import Rejected
from router.rules.dead_letters import dead_letter
from router.rules.publication import (
    LONGEST_HOLD,
    MAX_EVENT_BYTES,
    Acknowledged,
    Answer,
    Delayed,
    Hold,
    Refused,
    bounded,
    held,
    judged,
    shorter,
)
from tests.builders import NOON, record


def event(**data: object) -> str:
    return json.dumps({"id": "b-1/1/loaded", "data": data})


def files(count: int, reason: str = "") -> list[dict[str, str]]:
    return [{"uri": f"s3://landing/{number}.csv", "reason": reason} for number in range(count)]


def test_a_shorter_event_names_the_first_files_under_the_same_id() -> None:
    less = json.loads(shorter(event(files=files(5), files_truncated=False)) or "")

    assert less == {"id": "b-1/1/loaded", "data": {"files": files(2), "files_truncated": True}}


def test_an_event_gets_shorter_until_it_names_nothing() -> None:
    value: str | None = event(files=files(3), requests=[{"id": "r"}], schema_changes=[{"op": "add"}])
    lengths = []

    while value is not None:
        lengths.append(len(value))
        value = shorter(value)

    assert lengths == sorted(set(lengths), reverse=True)
    assert len(lengths) == 5


@pytest.mark.parametrize("value", [b"x" * 5000, b"\xff" * 5000])
def test_a_dead_letter_quotes_less(value: bytes) -> None:
    letter = dead_letter(record(value), 0, Rejected("not-json", "no JSON")).value

    less = json.loads(shorter(letter) or "")

    assert less["id"] == json.loads(letter)["id"]
    assert less["data"]["value_bytes"] == 5000
    assert 2000 < len(less["data"]["value"]) < 3400


def test_whatever_an_event_names_it_is_less_than_a_megabyte() -> None:
    worst = event(files=files(100, "漢" * 4000), files_truncated=False)

    fits = bounded(worst)

    assert len(worst.encode()) > 1_048_576
    assert len(fits.encode()) <= MAX_EVENT_BYTES
    assert json.loads(fits)["data"]["files_truncated"]


def test_an_event_that_fits_is_left_alone() -> None:
    assert bounded(event(files=files(100))) == event(files=files(100))


def test_each_row_is_judged_by_its_own_answer() -> None:
    rows = {1: event(), 2: event(), 3: event(files=files(2)), 4: event(), 5: event(files=files(2))}
    answers: list[Answer] = [
        Acknowledged(),
        Delayed("away"),
        Refused("large", True),
        Refused("large", True),
        Refused("bad"),
    ]

    outcome = judged(rows, answers)

    assert outcome.published == [1]
    assert outcome.delayed == {2: "away"}
    assert list(outcome.shorter) == [3]
    assert outcome.set_aside == {4: "large", 5: "bad"}


def test_what_stays_in_trouble_is_tried_less_and_less_often() -> None:
    hold: Hold | None = None
    pauses = []
    for _ in range(8):
        hold = held(hold, "away", NOON)
        pauses.append((hold.until - NOON).total_seconds())

    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60]
    assert timedelta(seconds=pauses[-1]) == LONGEST_HOLD
