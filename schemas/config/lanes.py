"""The three lanes: how much of each may be in flight, where its runs run, and how long."""

from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import ByteSize, Field, model_validator

from schemas.base import Strict
from schemas.config.pools import Pool
from schemas.config.pools.kubernetes import KubernetesPool
from schemas.config.pools.process import ProcessPool
from schemas.config.sizes import Reserved, SizeClass
from schemas.config.values import Bytes, Duration

Lane = Literal["default", "high-memory", "priority"]
LANES: tuple[Lane, ...] = ("default", "high-memory", "priority")

SHARED_CLASSES = (SizeClass(cpu=2, memory=ByteSize(4 * 1024**3), cpu_limit=4, memory_limit=ByteSize(8 * 1024**3)),)
BIG_CLASSES = (
    SizeClass(cpu=8, memory=ByteSize(32 * 1024**3), cpu_limit=16, memory_limit=ByteSize(64 * 1024**3)),
    SizeClass(cpu=16, memory=ByteSize(64 * 1024**3), cpu_limit=32, memory_limit=ByteSize(128 * 1024**3)),
)


SparkMode = Literal["embedded", "connect"]


class SparkConf(Strict):
    """A Spark of each run's own with settings of yours: with `spark.master`, its tasks are done by another cluster."""

    conf: dict[Annotated[str, Field(pattern=r"^spark\.\S+$")], str] = Field(min_length=1)


class LaneConfig(Strict):
    """How many runs of a lane may be in flight (its workers times the slots of each), where they run, and how long.

    `spark` says which Spark they use: one of their own, or the Connect server of `SPARK_CONNECT_URL`. `classes` are the
    sizes of a run that has a pod or the like of its own; `worker` is what each of the lane's workers has asked for.
    With `follow_workers` only those workers count that Prefect sees online, up to `workers`.

    A run that a worker took begins within `pending_deadline` (one that has a size within `start_deadline`). Then it
    says in the ledger that it lives: it is given up when nothing is heard for `silent_after`, or after `longest_run`.
    """

    pool: Pool = ProcessPool()
    spark: SparkMode | SparkConf | None = None
    worker: Reserved | None = None
    workers: int = Field(1, ge=1, le=100_000)
    slots_per_worker: int = Field(2, ge=1, le=100_000)
    follow_workers: bool = False
    pending_deadline: Duration = Field(timedelta(minutes=1), gt=timedelta(0))
    silent_after: Duration = Field(timedelta(minutes=3), gt=timedelta(0))
    longest_run: Duration = Field(timedelta(hours=6), gt=timedelta(0))
    classes: tuple[SizeClass, ...] = Field(SHARED_CLASSES, min_length=1, max_length=1)

    @model_validator(mode="after")
    def _pool_has_classes(self) -> Self:
        for size in self.classes:
            try:
                self.pool.job_variables(size)
            except ValueError as error:
                raise ValueError(f"classes: {error}") from error
        return self

    @property
    def slots(self) -> int:
        """The most runs of this lane that are in flight at once."""
        return self.workers * self.slots_per_worker

    @property
    def queues(self) -> bool:
        """Whether its runs stand in a queue for their quota before they begin."""
        return isinstance(self.pool, KubernetesPool) and self.pool.kueue is not None


class HighMemory(LaneConfig):
    """The lane of what is estimated to be big or slow, and of what ran out of memory: the next class each time."""

    pool: Pool = KubernetesPool()
    above: Bytes = ByteSize(10 * 1024**3)
    longer_than: Duration = Field(timedelta(hours=1), ge=timedelta(seconds=1))
    classes: tuple[SizeClass, ...] = Field(BIG_CLASSES, min_length=1)


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
