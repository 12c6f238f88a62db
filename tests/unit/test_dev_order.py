"""Parts start after what they need, at once where they can, and a failure stops the rest."""

import threading
from pathlib import Path

import pytest

from dev.errors import Cancelled, StackError
from dev.interrupts import Flag
from dev.logs import last_words
from dev.order import in_order, reversed_needs
from dev.supervisor import LONGEST_WAIT_SECONDS, wait_before_restart

NEEDS: dict[str, tuple[str, ...]] = {"jars": (), "kafka": ("jars",), "postgres": (), "router": ("kafka", "postgres")}


def test_each_comes_after_what_it_needs() -> None:
    done: list[str] = []

    in_order(NEEDS, done.append, Flag())

    assert sorted(done) == sorted(NEEDS)
    assert done.index("jars") < done.index("kafka") < done.index("router")
    assert done.index("postgres") < done.index("router")


def test_what_does_not_need_each_other_runs_at_once() -> None:
    meeting = threading.Barrier(2)

    def meet(_: str) -> None:
        meeting.wait(timeout=10)

    in_order({"one": (), "other": ()}, meet, Flag())


def test_a_need_that_was_not_chosen_counts_as_met() -> None:
    done: list[str] = []

    in_order({"router": ("deploy",)}, done.append, Flag())

    assert done == ["router"]


def test_the_first_failure_cancels_the_others_and_is_the_one_raised() -> None:
    cancelled = Flag()

    def do(name: str) -> None:
        if name == "postgres":
            raise StackError("no disk")
        cancelled.wait(10)
        raise Cancelled

    with pytest.raises(StackError, match="no disk"):
        in_order(NEEDS, do, cancelled)

    assert cancelled.is_set()


def test_the_stack_is_taken_down_in_the_reverse_order() -> None:
    done: list[str] = []

    in_order(reversed_needs(NEEDS), done.append, Flag())

    assert done[0] == "router"
    assert done.index("kafka") < done.index("jars")


def test_a_part_that_dies_again_and_again_is_restarted_ever_later() -> None:
    waits = [wait_before_restart(deaths) for deaths in (1, 2, 3, 4, 50)]

    assert waits == [0, 1, 2, 4, LONGEST_WAIT_SECONDS]


def test_the_last_words_of_a_log_are_its_errors_without_stack_frames(tmp_path: Path) -> None:
    log = tmp_path / "part.log"
    log.write_text("ERROR of an earlier start\n")
    earlier = log.stat().st_size
    with log.open("a") as file:
        file.write("starting\njava.net.BindException: Address in use\n\tat sun.nio.ch.Net.bind(Net.java)\n\nbye\n")

    assert last_words(log, earlier) == "  java.net.BindException: Address in use"
