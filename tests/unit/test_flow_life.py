"""A run that lives says so, whatever its main thread is doing; one that is not wanted any more goes home."""

from dataclasses import dataclass, field
from threading import Event
from typing import Any, cast

import pytest

from flows.loading.errors import Infrastructure
from flows.loading.ledger import Claimed, Ledger
from flows.loading.life import Life

SOON = 0.001
PATIENT = 10.0
CLAIMED = cast("Claimed", object())


@dataclass
class FakeLedger:
    """Answers each touch as told, the last answer again and again."""

    answers: list[bool | Exception]
    touched: int = 0
    answered_all: Event = field(default_factory=Event)

    def touch(self, claimed: Claimed) -> bool:
        assert claimed is CLAIMED
        answer = self.answers[min(self.touched, len(self.answers) - 1)]
        self.touched += 1
        if self.touched >= len(self.answers):
            self.answered_all.set()
        if isinstance(answer, Exception):
            raise answer
        return answer


class FakeSession:
    """Says when it is interrupted."""

    def __init__(self) -> None:
        self.interrupted = Event()

    def interruptAll(self) -> None:  # noqa: N802 - as Spark calls it
        self.interrupted.set()


def life(
    answers: list[bool | Exception], *, grace: float = PATIENT, leave: Any = pytest.fail
) -> tuple[Life, FakeLedger]:
    ledger = FakeLedger(answers)
    return Life(cast("Ledger", ledger), CLAIMED, grace=grace, leave=leave), ledger


def test_it_is_said_again_and_again_while_the_main_thread_waits() -> None:
    lives, ledger = life([True, True, True])

    with lives.told(SOON):
        assert ledger.answered_all.wait(PATIENT)

    assert lives.is_wanted


def test_a_ledger_that_is_away_is_told_later() -> None:
    lives, ledger = life([Infrastructure("away", target="ledger"), Infrastructure("away", target="ledger"), True])

    with lives.told(SOON):
        assert ledger.answered_all.wait(PATIENT)

    assert lives.is_wanted


def test_who_is_not_wanted_interrupts_what_runs_in_spark() -> None:
    lives, _ = life([True, False])
    session = FakeSession()
    lives.works_in(cast("Any", session))

    with lives.told(SOON):
        assert session.interrupted.wait(PATIENT)

    assert not lives.is_wanted


def test_the_process_of_a_run_that_hangs_and_is_not_wanted_ends() -> None:
    left = Event()
    lives, _ = life([False], grace=SOON, leave=lambda code: left.set() if code == 1 else None)

    with lives.told(SOON):
        assert left.wait(PATIENT)


def test_the_process_of_a_run_that_goes_home_by_itself_does_not_end_by_force() -> None:
    left = Event()
    lives, ledger = life([False], grace=PATIENT, leave=lambda _: left.set())

    with lives.told(SOON):
        assert ledger.answered_all.wait(PATIENT)

    assert not left.is_set()
