"""What loads cost in CPU-hours and GiB-hours: as it is, with a pod for every run, with another threshold.

| what                                  | where it is from                                                        |
|---------------------------------------|-------------------------------------------------------------------------|
| how many runs there were, how long    | measured: from the claim of an attempt to its result                    |
| how long a pod takes to start         | measured: from the run in Prefect to its claim, where runs have pods    |
| what pods, workers and servers ask for| configured, as the configuration is now                                 |
| how long workers and servers stand    | taken to be all the time: idle ones cost as much as busy ones           |

A run whose lane has workers costs nothing beside them; in a pod it costs the pod, from its submission to its end.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from router.rules import pools
from router.rules.sizing import size_classes
from schemas.config import Config
from schemas.config.lanes import LANES, Lane
from schemas.config.sizes import Reserved, SizeClass

HOUR, GIB = 3600, 1024**3


@dataclass(frozen=True, slots=True)
class Work:
    """The runs of a lane, a source and a size class.

    `is_between`: the biggest file of their batches is above the lower of two thresholds, and not above the higher.
    `unbegun`: attempts that ended before anybody claimed them, which are not among the `runs`.
    """

    lane: Lane
    source_id: str
    size_class: int
    is_between: bool
    runs: int
    run_seconds: float
    start_seconds: float
    unbegun: int


@dataclass(frozen=True, slots=True)
class Spent:
    """All that ran within a time."""

    since: datetime
    until: datetime
    work: Sequence[Work]

    @property
    def hours(self) -> float:
        """How long that time is."""
        return (self.until - self.since).total_seconds() / HOUR


@dataclass(frozen=True, slots=True)
class Amount:
    """CPUs and memory, each times how long they were held."""

    cpu_hours: float = 0
    gib_hours: float = 0

    def __add__(self, other: "Amount") -> "Amount":
        return Amount(self.cpu_hours + other.cpu_hours, self.gib_hours + other.gib_hours)


@dataclass(frozen=True, slots=True)
class LaneCost:
    """What a lane costs. `busy` is the share of its slots that its runs took: above 1 it needs more of them."""

    lane: Lane
    in_pods: bool
    workers: int
    worker: Reserved
    runs: int
    run_hours: float
    busy: float
    amount: Amount


@dataclass(frozen=True, slots=True)
class Cost:
    """One way to run the same loads: its lanes, and the Connect servers, where it has any that are configured."""

    name: str
    lanes: Sequence[LaneCost]
    connect: Amount | None

    @property
    def total(self) -> Amount:
        """All of it together."""
        return sum((lane.amount for lane in self.lanes), self.connect or Amount())


class Costing:
    """Reckons what the runs of a time cost in one way or another. `pod_start` counts where no pod was seen to start."""

    def __init__(self, config: Config, spent: Spent, pod_start: float | None = None) -> None:
        self.config = config
        self.spent = spent
        self._pins = {source.id: source.lane for source in config.sources.values() if source.lane is not None}
        self._in_pods = frozenset(lane for lane in LANES if pools.is_sized(config.lanes.of(lane).pool.type))
        started = [work for work in spent.work if work.lane in self._in_pods and work.runs]
        self.pods_started = sum(work.runs for work in started)
        measured = sum(work.start_seconds for work in started) / self.pods_started if started else None
        self.pod_start = pod_start if measured is None else measured

    def as_it_is(self) -> Cost:
        """With the lanes as they are configured."""
        return self._cost("as it is", lambda work: work.lane, self._in_pods)

    def in_pods(self) -> Cost:
        """With a pod of its own for every run, of the first class of its lane, and a Spark of its own in it."""
        return self._cost("a pod for every run", lambda work: work.lane, LANES, has_connect=False)

    def with_above(self, above: int, name: str) -> Cost:
        """With another threshold of high-memory, which was one of the two of `Work.is_between`."""
        is_lower = above < self.config.lanes.high_memory.above
        return self._cost(f"above {name}", lambda work: self._moved(work, is_lower=is_lower), self._in_pods)

    def _moved(self, work: Work, *, is_lower: bool) -> Lane:
        """What is pinned, or has run out of memory, stays; so does what another threshold says nothing of."""
        if not work.is_between or work.source_id in self._pins or work.size_class > 1:
            return work.lane
        return "high-memory" if is_lower else "default" if work.lane == "high-memory" else work.lane

    def _cost(
        self, name: str, lane_of: Callable[[Work], Lane], in_pods: Collection[Lane], *, has_connect: bool = True
    ) -> Cost:
        placed: Mapping[Lane, list[Work]] = {lane: [] for lane in LANES}
        for work in self.spent.work:
            placed[lane_of(work)].append(work)
        lanes = [self._lane(lane, works, in_pods=lane in in_pods) for lane, works in placed.items()]
        servers = self.config.spark_connect if has_connect else None
        connect = None if servers is None else _amount(servers, servers.servers * self.spent.hours)
        return Cost(name, lanes, connect)

    def _lane(self, lane: Lane, works: Sequence[Work], *, in_pods: bool) -> LaneCost:
        settings, hours = self.config.lanes.of(lane), self.spent.hours
        workers, worker = self._workers(lane, in_pods=in_pods)
        run_hours = sum(work.run_seconds for work in works) / HOUR
        amount = _amount(worker, workers * hours)
        if in_pods:
            pods = (_amount(self._size(lane, work), self._pod_seconds(work) / HOUR) for work in works)
            amount = sum(pods, amount)
        return LaneCost(
            lane=lane,
            in_pods=in_pods,
            workers=workers,
            worker=worker,
            runs=sum(work.runs for work in works),
            run_hours=run_hours,
            busy=run_hours / (settings.slots * hours) if hours > 0 else 0,
            amount=amount,
        )

    def _workers(self, lane: Lane, *, in_pods: bool) -> tuple[int, Reserved]:
        """Who stands for a lane: its workers, or the one that would make its pods."""
        settings = self.config.lanes.of(lane)
        if in_pods and lane not in self._in_pods:
            return 1, pools.POD_MAKER
        if settings.worker is not None:
            return settings.workers, settings.worker
        if in_pods:
            return settings.workers, pools.POD_MAKER
        first = settings.classes[0]
        return settings.workers, Reserved(cpu=first.cpu, memory=first.memory)

    def _size(self, lane: Lane, work: Work) -> SizeClass:
        if lane != "high-memory":
            return self.config.lanes.of(lane).classes[0]
        pin = self._pins.get(work.source_id)
        sizes = size_classes(self.config.lanes.high_memory, pin.size if pin is not None else None)
        return sizes[min(max(work.size_class, 1), len(sizes)) - 1]

    def _pod_seconds(self, work: Work) -> float:
        """Its own start, where it had a pod; else the mean of those that had."""
        if work.lane in self._in_pods:
            return work.run_seconds + work.start_seconds
        return work.run_seconds + work.runs * (self.pod_start or 0)


def _amount(size: Reserved | SizeClass, hours: float) -> Amount:
    return Amount(size.cpu * hours, size.memory / GIB * hours)


def origins(costing: Costing) -> Sequence[str]:
    """Say of the numbers what was measured, what is configured, and what is not in them."""
    spent, settings = costing.spent, costing.config
    unbegun = sum(work.unbegun for work in spent.work)
    start = "not known, so not counted: --pod-start" if costing.pod_start is None else f"{costing.pod_start:.1f} s"
    seen = f"the mean of {costing.pods_started}" if costing.pods_started else "none was seen to start"
    lines = [
        f"measured    {sum(work.runs for work in spent.work)} runs, from the claim to the result",
        f"            the start of a pod: {start} ({seen})",
        "configured  what workers and pods ask for, and how many workers: as the configuration is now",
        "assumed     workers stand all the time; a run takes as long in another lane, or with a Spark of its own",
    ]
    lines += [f"left out    {unbegun} attempts that nobody began"] if unbegun else []
    if settings.spark_connect is None:
        lines.append("left out    Spark Connect, as `spark_connect` of the configuration says no size")
    return lines


def for_programs(costing: Costing, costs: Sequence[Cost]) -> Mapping[str, object]:
    """Put all of it in the shape that `cost --json` prints: its keys grow, and never change their meaning."""
    spent = costing.spent
    return {
        "since": spent.since,
        "until": spent.until,
        "pod_start_seconds": costing.pod_start,
        "pods_started": costing.pods_started,
        "unbegun": sum(work.unbegun for work in spent.work),
        "costs": [_cost_for_programs(cost) for cost in costs],
    }


def _cost_for_programs(cost: Cost) -> Mapping[str, object]:
    lanes = {
        lane.lane: {
            "runs": lane.runs,
            "run_hours": lane.run_hours,
            "busy": lane.busy,
            "in_pods": lane.in_pods,
            "workers": lane.workers,
            "worker": {"cpu": lane.worker.cpu, "memory": lane.worker.memory},
            **asdict(lane.amount),
        }
        for lane in cost.lanes
    }
    connect = asdict(cost.connect) if cost.connect is not None else None
    return {"name": cost.name, "lanes": lanes, "spark_connect": connect, "total": asdict(cost.total)}
