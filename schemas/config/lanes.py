"""The three lanes: how much of each may be in flight, where its runs run, and how long."""

from datetime import timedelta
from typing import Literal

from pydantic import ByteSize, Field

from schemas.base import Strict
from schemas.config.values import Bytes, Duration

Lane = Literal["default", "high-memory", "priority"]
LANES: tuple[Lane, ...] = ("default", "high-memory", "priority")


PoolType = Literal["process", "kubernetes"]


class SizeClass(Strict):
    """What a run in Kubernetes gets, as requests and limits alike."""

    cpu: int = Field(ge=1, le=10_000)
    memory: Bytes = Field(ge=512 * 1024**2)

    @property
    def kubernetes_variables(self) -> dict[str, str]:
        """The variables of Prefect's Kubernetes worker that say it: a big load must neither starve nor be evicted."""
        cpu, memory = str(self.cpu), f"{self.memory // 1024**2}Mi"
        return {"cpu_request": cpu, "cpu_limit": cpu, "memory_request": memory, "memory_limit": memory}


class Pool(Strict):
    """The Prefect work pool behind a lane."""

    type: PoolType = "process"


class LaneConfig(Strict):
    """How many runs of a lane may be in flight (its workers times the slots of each), where they run, and how long.

    A run that a worker took begins within `pending_deadline` (in a Kubernetes pool within `start_deadline`). Then it
    says in the ledger that it lives: it is given up when nothing is heard for `silent_after`, or after `longest_run`.
    """

    pool: Pool = Pool()
    workers: int = Field(1, ge=1, le=100_000)
    slots_per_worker: int = Field(2, ge=1, le=100_000)
    pending_deadline: Duration = Field(timedelta(minutes=1), gt=timedelta(0))
    silent_after: Duration = Field(timedelta(minutes=3), gt=timedelta(0))
    longest_run: Duration = Field(timedelta(hours=6), gt=timedelta(0))

    @property
    def slots(self) -> int:
        """The most runs of this lane that are in flight at once."""
        return self.workers * self.slots_per_worker


class HighMemory(LaneConfig):
    """The lane of what is estimated to be big or slow, and of what ran out of memory: the next class each time."""

    pool: Pool = Pool(type="kubernetes")
    above: Bytes = ByteSize(10 * 1024**3)
    longer_than: Duration = Field(timedelta(hours=1), ge=timedelta(seconds=1))
    classes: tuple[SizeClass, ...] = Field(
        (
            SizeClass(cpu=8, memory=ByteSize(32 * 1024**3)),
            SizeClass(cpu=16, memory=ByteSize(64 * 1024**3)),
        ),
        min_length=1,
    )


class Lanes(Strict):
    """The three lanes; what is left out has these defaults."""

    default: LaneConfig = LaneConfig()
    high_memory: HighMemory = Field(HighMemory(), alias="high-memory")
    priority: LaneConfig = LaneConfig()

    def of(self, lane: Lane) -> LaneConfig:
        """Find the settings of a lane by its name."""
        lanes: dict[Lane, LaneConfig] = {
            "default": self.default,
            "high-memory": self.high_memory,
            "priority": self.priority,
        }
        return lanes[lane]
