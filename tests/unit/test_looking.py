"""When an object is looked at again, and what an answer means."""

from datetime import timedelta

import pytest

from router.rules.looking import LONGEST_PAUSE, PAUSES, Look, circle, not_there
from tests.builders import A_CSV, NOON, identity, position


def look(*, misses: int = 0, removed: bool = False, quiet: bool = False) -> Look:
    return Look(identity(version=""), A_CSV, NOON, position(), misses=misses, removed=removed, quiet=quiet)


def test_one_not_there_is_not_believed() -> None:
    pauses = [not_there(look(misses=misses)).again for misses in range(4)]

    assert pauses == [timedelta(seconds=10), timedelta(minutes=1), timedelta(minutes=10), None]


def test_what_was_never_there_is_missing_with_a_letter_that_names_it() -> None:
    answer = not_there(look(misses=len(PAUSES)))

    assert (answer.outcome, answer.again) == ("missing", None)
    assert answer.reason is not None
    assert "4 times" in answer.reason
    assert answer.letter is not None
    assert A_CSV in answer.letter.value


@pytest.mark.parametrize("misses", range(3))
def test_nothing_is_said_while_looks_are_left(misses: int) -> None:
    answer = not_there(look(misses=misses))

    assert (answer.outcome, answer.letter) == (None, None)


@pytest.mark.parametrize("misses", range(4))
@pytest.mark.parametrize("quiet", [False, True])
def test_a_removal_is_believed_once_the_storage_confirms_it(misses: int, quiet: bool) -> None:
    answer = not_there(look(misses=misses, removed=True, quiet=quiet))

    assert (answer.outcome, answer.letter) == ("removed", None)


def test_nobody_is_told_twice() -> None:
    answer = not_there(look(misses=len(PAUSES), quiet=True))

    assert (answer.outcome, answer.letter, answer.again) == (None, None, None)


@pytest.mark.parametrize("times", [1, 2, 5, 12, 10_000])
def test_what_never_stands_still_is_looked_at_ever_later_up_to_ten_minutes(times: int) -> None:
    assert circle(times) <= circle(times + 1) <= LONGEST_PAUSE
    assert circle(1) == timedelta(0)
