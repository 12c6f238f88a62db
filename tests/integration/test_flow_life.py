"""A run that hangs, is frozen or is sent away: it says so as long as it can, and what it leaves does no harm."""

import signal
import time
from collections.abc import Callable
from datetime import datetime

import pytest

from tests.integration.flow_site import PATIENCE_SECONDS, Lake, PausedLoad, a_table

pytestmark = pytest.mark.integration


@pytest.fixture
def table() -> str:
    return a_table()


def restless(lake: Lake, table: str) -> str:
    """A batch whose runs say often that they live."""
    batch = lake.batch(table, [lake.land("a.csv", "a\n1\n")])
    lake.execute("""UPDATE batch SET manifest = manifest || '{"touch_seconds": 0.1}' WHERE id = %s""", (batch,))
    return batch


def eventually(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def heard_after(lake: Lake, batch: str, moment: datetime) -> bool:
    return lake.touched(batch, 1) > moment


def ends(load: PausedLoad) -> int:
    return load.process.wait(PATIENCE_SECONDS)


def test_a_run_that_stands_still_in_a_step_says_that_it_lives(lake: Lake, table: str) -> None:
    batch = restless(lake, table)

    still = lake.process(batch, 1, "stage", lives=True)
    moment = lake.touched(batch, 1)

    eventually(lambda: heard_after(lake, batch, moment), "it is heard of")
    assert still.go_on() == 0
    assert lake.count(table, batch) == 1


@pytest.mark.parametrize("step", ["session", "stage", "record"])
def test_a_frozen_run_makes_way_and_goes_home_when_it_thaws(lake: Lake, table: str, step: str) -> None:
    batch = restless(lake, table)
    frozen = lake.process(batch, 1, step, lives=True)
    frozen.process.send_signal(signal.SIGSTOP)

    lake.attempt(batch, 2)
    lake.published(batch, 2)
    frozen.process.send_signal(signal.SIGCONT)

    assert ends(frozen) == 1  # it hangs still: its process ends
    assert lake.count(table, batch) == 1


def test_a_run_that_works_on_in_vain_is_interrupted(lake: Lake, table: str) -> None:
    batch = restless(lake, table)
    zombie = lake.process(batch, 1, "record", lives=True)
    lake.attempt(batch, 2)
    lake.published(batch, 2)

    assert zombie.go_on() != 0

    assert lake.count(table, batch) == 1


@pytest.mark.parametrize("step", ["session", "stage", "record"])
def test_a_run_that_is_sent_away_says_so_and_leaves_the_batch_to_the_next(lake: Lake, table: str, step: str) -> None:
    batch = restless(lake, table)
    sent_away = lake.process(batch, 1, step, lives=True)

    sent_away.process.send_signal(signal.SIGTERM)

    assert ends(sent_away) != 0
    assert lake.attempt_of(batch, 1) == ("infrastructure", "terminated: Terminated")
    lake.attempt(batch, 2)
    lake.published(batch, 2)
    assert lake.count(table, batch) == 1
