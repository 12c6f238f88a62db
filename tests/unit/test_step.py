"""How a step goes through a queue."""

import pytest

from router.errors import Transient
from router.facts import BreakerClosed
from router.step import Pass


class Watch:
    """A clock that is told how long each item took."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        monkeypatch.setattr("router.step.monotonic", lambda: self.now)


def test_an_items_trouble_stays_with_that_item() -> None:
    queue = Pass()

    for item in queue.over("abc"):
        with queue.item():
            if item == "b":
                raise Transient("b is stuck")
            queue.facts.append(BreakerClosed(item))

    step = queue.step()
    assert step.facts == (BreakerClosed("a"), BreakerClosed("c"))
    assert (step.trouble, step.more) == ("b is stuck", False)


def test_a_bug_is_nobodys_trouble() -> None:
    queue = Pass()

    with pytest.raises(ZeroDivisionError), queue.item():
        _ = 1 / 0


def test_a_pass_ends_when_its_time_is_over_and_asks_for_another(monkeypatch: pytest.MonkeyPatch) -> None:
    watch, queue, begun = Watch(monkeypatch), Pass(seconds=10), []

    for item in queue.over("abcd"):
        begun.append(item)
        watch.now += 6

    assert begun == ["a", "b"]
    assert queue.step().more


def test_the_first_item_is_begun_however_late_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    watch, queue = Watch(monkeypatch), Pass(seconds=10)
    watch.now += 60

    assert list(queue.over("abc")) == ["a"]
