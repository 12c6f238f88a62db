"""How lanes and sources stand, as people and programs are shown it."""

from datetime import timedelta

from router.rules.breaker import Breaker
from router.rules.status import Failure, LaneStatus, LineStatus, SourceStatus, Status, for_programs, lanes
from tests.builders import NOON, config

CONFIG = config()
IDLE = SourceStatus("orders-v1", None, 0, 0, None, 0, None, 0, 0, None, None, None, None)
STATUS = Status(
    [IDLE],
    [
        LineStatus("orders-v1", "default", 2, 20, NOON),
        LineStatus("gone-v1", "default", 1, 5, NOON - timedelta(hours=1)),
        LineStatus("orders-v1", "priority", 1, 1, NOON),
    ],
    {"default": 2},
    [Failure("b-1", "gone-v1", NOON, "failed", None)],
    [Breaker("catalog lake", 3, timedelta(0), "refused")],
)


def test_a_lane_shows_what_waits_in_it_of_all_sources() -> None:
    default, high_memory, priority = lanes(STATUS, CONFIG)

    assert default == LaneStatus("default", 2, CONFIG.lanes.default.slots, 3, 25, NOON - timedelta(hours=1))
    assert (high_memory.files, high_memory.landed) == (0, None)
    assert (priority.in_flight, priority.files) == (0, 1)


def test_a_program_is_told_all_of_it_under_its_keys() -> None:
    told = for_programs(STATUS, CONFIG)

    assert list(told) == ["lanes", "lines", "sources", "failures", "away"]
    assert told["lanes"] == {
        lane.lane: {"in_flight": lane.in_flight, "slots": lane.slots} for lane in lanes(STATUS, CONFIG)
    }
