"""Publication goes on with what the broker takes, and keeps what it does not."""

import json

from router.facts import EventSetAside, count_of, name_of
from router.rules.outgoing import OutgoingEvent
from router.stages.publication import PublicationStage
from router.step import Step
from tests.builders import NOON, after
from tests.fakes.clock import FakeClock
from tests.fakes.database import FakeDatabase
from tests.fakes.lease import FakeLease
from tests.fakes.publication import FakePublication
from tests.fakes.publisher import FakePublisher


class Scene:
    """An outbox, a broker and one router or two."""

    def __init__(self) -> None:
        self.clock = FakeClock(NOON)
        self.database = FakeDatabase(self.clock)
        self.publisher = FakePublisher()
        self.stages = [self._stage("one"), self._stage("two")]

    def _stage(self, holder: str) -> PublicationStage:
        return PublicationStage(FakePublication(self.database, FakeLease(self.database, holder)), self.publisher)

    def told(self, topic: str, key: str, number: int, *, files: int = 0) -> None:
        value = {"id": f"{topic}/{number}", "data": {"files": ["a-file" * 10] * files}}
        self.database.put(OutgoingEvent(topic, key, json.dumps(value)))

    async def step(self, seconds: float = 0, router: int = 0) -> Step:
        self.clock.pass_time(after(seconds) - NOON)
        return await self.stages[router].step(self.clock.now())

    @property
    def written(self) -> list[str]:
        return [json.loads(event.value)["id"] for event in self.publisher.written]


def facts(step: Step) -> dict[str, int]:
    return {name_of(type(fact)): count_of(fact) for fact in step.facts}


async def test_a_missing_topic_holds_its_own_events_only() -> None:
    scene = Scene()
    scene.publisher.missing = {"letters"}
    for number in range(3):
        scene.told("letters", "k", number)
        scene.told("completions", "k", number)

    step = await scene.step()

    assert scene.written == ["completions/0", "completions/1", "completions/2"]
    assert "letters" in str(step.trouble)
    assert facts(step)["events_published"] == 3
    assert len(scene.database.outbox) == 3


async def test_a_topic_that_is_back_gets_its_events_in_their_order() -> None:
    scene = Scene()
    scene.publisher.missing = {"letters"}
    for number in range(3):
        scene.told("letters", "k", number)
    await scene.step()
    scene.publisher.missing = set()

    await scene.step(0.5)
    early = list(scene.written)
    await scene.step(0.5)

    assert early == []
    assert scene.written == ["letters/0", "letters/1", "letters/2"]


async def test_an_event_that_is_too_large_is_told_with_fewer_files() -> None:
    scene = Scene()
    scene.publisher.max_bytes = {"completions": 300}
    scene.told("completions", "k", 0, files=40)
    scene.told("completions", "k", 1)

    for _ in range(8):
        await scene.step(1)

    assert scene.written == ["completions/0", "completions/1"]
    assert json.loads(scene.publisher.written[0].value)["data"]["files_truncated"]
    assert scene.database.outbox == {}


async def test_an_event_that_is_refused_for_good_is_set_aside_and_told() -> None:
    scene = Scene()
    scene.publisher.max_bytes = {"completions": 60}
    scene.told("completions", "k" * 100, 0)
    scene.told("completions", "k" * 100, 1)
    scene.database.outbox[1] = OutgoingEvent("completions", "k", json.dumps({"id": "poison" * 20, "data": {}}))

    step = await scene.step()
    await scene.step(1)

    [aside] = [fact for fact in step.facts if isinstance(fact, EventSetAside)]
    assert aside == EventSetAside("completions", "poison" * 20, "Kafka: too large")
    assert scene.written == ["completions/1"]


async def test_what_was_set_aside_is_tried_again() -> None:
    scene = Scene()
    scene.publisher.max_bytes = {"completions": 1}
    scene.told("completions", "k", 0)
    await scene.step()
    scene.publisher.max_bytes = {}

    await scene.step(590)
    before = list(scene.written)
    await scene.step(20)

    assert before == []
    assert scene.written == ["completions/0"]


async def test_behind_an_event_in_trouble_others_of_its_key_wait() -> None:
    scene = Scene()
    scene.publisher.max_bytes = {"completions": 250}
    scene.told("completions", "k", 0, files=5)
    scene.told("completions", "k", 1)
    scene.told("completions", "other", 2)

    await scene.step()
    first = list(scene.written)
    for _ in range(4):
        await scene.step(1)

    assert first == ["completions/2"]
    assert scene.written == ["completions/2", "completions/0", "completions/1"]


async def test_a_router_whom_the_broker_does_not_answer_gives_the_lease_back() -> None:
    scene = Scene()
    scene.told("completions", "k", 0)
    scene.publisher.away = True
    await scene.step(router=0)
    scene.publisher.away = False

    await scene.step(router=1)

    assert scene.written == ["completions/0"]


async def test_a_step_takes_so_many_bytes_whatever_the_number_of_events() -> None:
    scene = Scene()
    for number in range(10):
        scene.told("completions", "k", number, files=15_000)

    await scene.step()

    assert len(scene.written) == 5  # of 0.95 MB each
