"""The trace of one file, from its event to its completion."""

import json
from typing import Any

import pytest

from router.rules.traces import ours
from schemas.config.topics import ARRIVALS_TOPIC
from storage.objects import Measured
from tests.builders import file_event, position
from tests.simulation.world import URIS, World

ONLY_AUDIT = URIS[3]
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
TOLD = json.loads(file_event(ONLY_AUDIT, etag=None, size=None))


def event_of(world: World) -> dict[str, Any]:
    """The completion of the only batch."""
    [event] = world.database.recorded.values()
    value: dict[str, Any] = json.loads(event.value)
    return value


async def completed(told: dict[str, Any], *, traces: bool) -> dict[str, Any]:
    """What is said of a file at its end, of which that was told at its beginning."""
    world = World(seed=1)
    world.reconfigure(world.config.model_copy(update={"traces": traces}))
    world.store.objects[ONLY_AUDIT] = Measured("v-1", 10)
    world.broker.append((ARRIVALS_TOPIC, 0), json.dumps(told).encode(), world.clock.now())
    for stage in ("intake", "discovery", "scheduling"):
        await world.step(stage)
    await world.work()
    await world.step("settlement")
    return event_of(world)


@pytest.mark.parametrize(
    ("said", "trace"),
    [({"traceparent": TRACE}, TRACE), ({}, ours(position())), ({"traceparent": "?"}, ours(position()))],
)
async def test_a_file_ends_in_the_trace_of_its_event_or_in_one_of_ours(said: dict[str, str], trace: str) -> None:
    event = await completed({**TOLD, **said}, traces=True)

    assert event["traceparent"] == trace
    assert [file["traceparent"] for file in event["data"]["files"]] == [trace]


async def test_without_traces_nobody_looks_at_those_of_events() -> None:
    event = await completed({**TOLD, "traceparent": TRACE}, traces=False)

    assert TRACE not in json.dumps(event)
