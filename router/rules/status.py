"""How lanes and sources stand, for people: out of what the ledger holds and what is configured."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from router.rules.breaker import Breaker
from schemas.config import Config
from schemas.config.lanes import LANES, Lane


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """How a source stands; `waiting_files` is counted up to 100,000, `waiting_bytes` of those.

    `landed`: of the first in line. `hour_files` and `hour_bytes`: of the batches that were cut and ended in an hour.
    """

    source_id: str
    paused: datetime | None
    waiting_files: int
    waiting_bytes: int
    landed: datetime | None
    to_measure: int
    in_flight: str | None
    hour_files: int
    hour_bytes: int
    last_batch: str | None
    last_outcome: str | None
    last_reason: str | None
    last_ended: datetime | None


@dataclass(frozen=True, slots=True)
class LineStatus:
    """What waits of a source in a lane, counted up to 100,000, less with more than ten lines; `landed` of the first."""

    source_id: str
    lane: Lane
    files: int
    bytes: int
    landed: datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands in the ledger beside the lines, as one router sees it: `roles` are those of the leases it holds.

    `in_flight` counts attempts by lane, `waiting` what could have one besides; files are counted by source, what is to
    be measured up to 100,000 together.
    `outbox_since`: when the first event that is not published was written, of `outbox_events` up to 100,000.
    `connections` are those of PostgreSQL's whole server, which takes `connections_limit`; `bytes` are the ledger's.
    """

    in_flight: Mapping[Lane, int]
    waiting: Mapping[Lane, int]
    in_flight_files: Mapping[str, int]
    to_measure_files: Mapping[str, int]
    paused: Sequence[str]
    roles: Sequence[str]
    outbox_events: int
    outbox_since: datetime | None
    connections: int
    connections_limit: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Failure:
    """A batch that was not loaded as a whole."""

    batch: str
    source_id: str
    ended: datetime
    outcome: str
    reason: str | None


@dataclass(frozen=True, slots=True)
class Status:
    """All that the ledger tells for it. `in_flight` counts attempts by lane; `away` is what does not answer."""

    sources: Sequence[SourceStatus]
    lines: Sequence[LineStatus]
    in_flight: Mapping[Lane, int]
    failures: Sequence[Failure]
    away: Sequence[Breaker]


@dataclass(frozen=True, slots=True)
class LaneStatus:
    """How a lane stands: how many of its `slots` are in flight, what waits in it, and when the first of that landed."""

    lane: Lane
    in_flight: int
    slots: int
    files: int
    bytes: int
    landed: datetime | None


def lanes(status: Status, config: Config) -> Sequence[LaneStatus]:
    """Show every lane, with what waits in it of all sources together."""
    return [_lane(lane, status, config) for lane in LANES]


def _lane(lane: Lane, status: Status, config: Config) -> LaneStatus:
    lines = [line for line in status.lines if line.lane == lane]
    return LaneStatus(
        lane,
        status.in_flight.get(lane, 0),
        config.lanes.of(lane).slots,
        sum(line.files for line in lines),
        sum(line.bytes for line in lines),
        min((line.landed for line in lines), default=None),
    )


def for_programs(status: Status, config: Config) -> Mapping[str, object]:
    """Put all of it in the shape that `status --json` prints: its keys grow, and never change their meaning."""
    names = config.source_names
    return {
        "lanes": {lane.lane: {"in_flight": lane.in_flight, "slots": lane.slots} for lane in lanes(status, config)},
        "lines": [asdict(line) for line in status.lines],
        "sources": [{"name": names[row.source_id], **asdict(row)} for row in status.sources],
        "failures": [asdict(failure) for failure in status.failures],
        "away": [asdict(breaker) for breaker in status.away],
    }
