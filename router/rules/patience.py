"""How long is waited for a run, by its lane, and before the next; and how often a run says that it lives."""

from dataclasses import dataclass
from datetime import timedelta
from hashlib import blake2b

from router.rules import pools
from schemas.config import Config
from schemas.config.lanes import LANES, Lane

DIAGNOSED_AFTER = timedelta(seconds=15)
FIRST_PAUSE = timedelta(seconds=5)
LONGEST_PAUSE = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long is waited for a run of a lane.

    `scheduled` until a worker takes it, `pending` until it has then claimed its attempt, `silent` when nothing is heard
    of it any more, `longest_run` from the claim to its end, `diagnosis` for what Kubernetes says after a pod's end.
    A lane that `queues` stands in a queue for its quota first, however long: `pending` begins when it is admitted.
    """

    scheduled: timedelta
    pending: timedelta
    silent: timedelta
    longest_run: timedelta
    diagnosis: timedelta = timedelta(0)
    queues: bool = False


def patience_of(config: Config, lane: Lane) -> Patience:
    """The patience that a lane is configured with. A pod may take as long to start as a run may wait for a worker."""
    settings = config.lanes.of(lane)
    pending = config.start_deadline if pools.is_sized(settings.pool.type) else settings.pending_deadline
    diagnosis = DIAGNOSED_AFTER if pools.is_diagnosed(settings.pool.type) else timedelta(0)
    silent, longest = settings.silent_after, settings.longest_run
    return Patience(config.start_deadline, pending, silent, longest, diagnosis, settings.queues)


def touch_seconds(config: Config) -> float:
    """How often a run says that it lives: nine times within the patience of whichever lane it may come to."""
    return min(config.lanes.of(lane).silent_after for lane in LANES) / timedelta(seconds=9)


def pause(batch: str, n: int, tries: int) -> timedelta:
    """The wait before the next attempt: doubled each time up to a cap, spread by a hash of batch and attempt."""
    spread = 1 + blake2b(f"{batch}/{n}".encode(), digest_size=1).digest()[0] / 1024
    doubled: timedelta = FIRST_PAUSE * 2 ** min(tries - 1, 16)
    return min(doubled, LONGEST_PAUSE) * spread
