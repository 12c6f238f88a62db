"""How long is waited for a run, by its lane, and how often a run says that it lives."""

from dataclasses import dataclass
from datetime import timedelta

from router.rules import pools
from schemas.config import Config
from schemas.config.lanes import LANES, Lane

DIAGNOSED_AFTER = timedelta(seconds=15)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long is waited for a run of a lane.

    `scheduled` until a worker takes it, `pending` until it has then claimed its attempt, `silent` when nothing is heard
    of it any more, `longest_run` from the claim to its end, `diagnosis` for what Kubernetes says after a pod's end.
    """

    scheduled: timedelta
    pending: timedelta
    silent: timedelta
    longest_run: timedelta
    diagnosis: timedelta = timedelta(0)


def patience_of(config: Config, lane: Lane) -> Patience:
    """The patience that a lane is configured with. A pod may take as long to start as a run may wait for a worker."""
    settings = config.lanes.of(lane)
    pending = config.start_deadline if pools.is_sized(settings.pool.type) else settings.pending_deadline
    diagnosis = DIAGNOSED_AFTER if pools.is_diagnosed(settings.pool.type) else timedelta(0)
    return Patience(config.start_deadline, pending, settings.silent_after, settings.longest_run, diagnosis)


def touch_seconds(config: Config) -> float:
    """How often a run says that it lives: nine times within the patience of whichever lane it may come to."""
    return min(config.lanes.of(lane).silent_after for lane in LANES) / timedelta(seconds=9)
