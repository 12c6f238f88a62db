"""The three lanes: how much of each may be in flight, where its runs run, and how long."""

from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import ByteSize, Field, model_validator

from schemas.base import Strict
from schemas.config.values import Bytes, Duration

Lane = Literal["default", "high-memory", "priority"]
LANES: tuple[Lane, ...] = ("default", "high-memory", "priority")


PoolType = Literal["process", "kubernetes"]
KubernetesName = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$")]
LEAST_MEMORY = 512 * 1024**2


class SizeClass(Strict):
    """What a run in Kubernetes asks for, and the most it may take; a limit that is left out is what it asks for."""

    cpu: int = Field(ge=1, le=10_000)
    memory: Bytes = Field(ge=LEAST_MEMORY)
    cpu_limit: int | None = Field(None, ge=1, le=10_000)
    memory_limit: Bytes | None = Field(None, ge=LEAST_MEMORY)

    @model_validator(mode="after")
    def _limits_hold_requests(self) -> Self:
        for name, asked, limit in (
            ("cpu", self.cpu, self.cpu_limit),
            ("memory", self.memory, self.memory_limit),
        ):
            if limit is not None and limit < asked:
                raise ValueError(f"{name}_limit is below {name}; write at least as much, or leave it out")
        return self

    @property
    def kubernetes_variables(self) -> dict[str, str]:
        """The variables of Prefect's Kubernetes worker that say it."""
        return {
            "cpu_request": str(self.cpu),
            "cpu_limit": str(self.cpu_limit or self.cpu),
            "memory_request": _mebibytes(self.memory),
            "memory_limit": _mebibytes(self.memory_limit or self.memory),
        }


def _mebibytes(size: int) -> str:
    return f"{size // 1024**2}Mi"


class ProcessPool(Strict):
    """Runs are processes beside their worker, as big as what it leaves them."""

    type: Literal["process"] = "process"


class KubernetesPool(Strict):
    """Each run is a Job of its own, of `image`: without one it cannot be deployed.

    The keys of `secrets` become variables of its environment, as `env` does; those of `mounts` become files below a
    path. `scratch` is its space on disk, where Spark spills. A Job that is older than `deadline` is ended.
    """

    type: Literal["kubernetes"] = "kubernetes"
    image: str | None = Field(None, min_length=1)
    image_pull_policy: Literal["IfNotPresent", "Always", "Never"] = "IfNotPresent"
    namespace: KubernetesName = "default"
    service_account: KubernetesName | None = None
    secrets: tuple[KubernetesName, ...] = ()
    mounts: dict[Annotated[str, Field(pattern=r"^/[\w./-]+$")], KubernetesName] = {}
    env: dict[Annotated[str, Field(pattern=r"^[A-Za-z_]\w*$")], str] = {}
    node_selector: dict[str, str] = {}
    tolerations: tuple[dict[str, str | int], ...] = ()
    priority_class: KubernetesName | None = None
    scratch: Bytes = ByteSize(20 * 1024**3)
    deadline: Duration = Field(timedelta(hours=6), ge=timedelta(minutes=1))


Pool = Annotated[ProcessPool | KubernetesPool, Field(discriminator="type")]
SHARED_CLASSES = (SizeClass(cpu=2, memory=ByteSize(4 * 1024**3), cpu_limit=4, memory_limit=ByteSize(8 * 1024**3)),)
BIG_CLASSES = (
    SizeClass(cpu=8, memory=ByteSize(32 * 1024**3), cpu_limit=16, memory_limit=ByteSize(64 * 1024**3)),
    SizeClass(cpu=16, memory=ByteSize(64 * 1024**3), cpu_limit=32, memory_limit=ByteSize(128 * 1024**3)),
)


class Reserved(Strict):
    """What a worker or a server has asked for, for as long as it stands; only `autoloader cost` reads it."""

    cpu: float = Field(gt=0, le=10_000)
    memory: Bytes


class ConnectServers(Reserved):
    """The Spark Connect servers: how many there are, and what each has asked for."""

    servers: int = Field(1, ge=1, le=10_000)


SparkMode = Literal["embedded", "connect"]


class SparkConf(Strict):
    """A Spark of each run's own with settings of yours: with `spark.master`, its tasks are done by another cluster."""

    conf: dict[Annotated[str, Field(pattern=r"^spark\.\S+$")], str] = Field(min_length=1)


class LaneConfig(Strict):
    """How many runs of a lane may be in flight (its workers times the slots of each), where they run, and how long.

    `spark` says which Spark they use: one of their own, or the Connect server of `SPARK_CONNECT_URL`. `classes` are the
    sizes of a Job in a Kubernetes pool; `worker` is what each of the lane's workers has asked for.

    A run that a worker took begins within `pending_deadline` (in a Kubernetes pool within `start_deadline`). Then it
    says in the ledger that it lives: it is given up when nothing is heard for `silent_after`, or after `longest_run`.
    """

    pool: Pool = ProcessPool()
    spark: SparkMode | SparkConf | None = None
    worker: Reserved | None = None
    workers: int = Field(1, ge=1, le=100_000)
    slots_per_worker: int = Field(2, ge=1, le=100_000)
    pending_deadline: Duration = Field(timedelta(minutes=1), gt=timedelta(0))
    silent_after: Duration = Field(timedelta(minutes=3), gt=timedelta(0))
    longest_run: Duration = Field(timedelta(hours=6), gt=timedelta(0))
    classes: tuple[SizeClass, ...] = Field(SHARED_CLASSES, min_length=1, max_length=1)

    @property
    def slots(self) -> int:
        """The most runs of this lane that are in flight at once."""
        return self.workers * self.slots_per_worker


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
