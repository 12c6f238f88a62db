"""How much a file is once it is unpacked, in which lane it waits, and what its run gets.

| lane        | what goes there                                                                               |
|-------------|-----------------------------------------------------------------------------------------------|
| as pinned   | everything of a source that pins its lane                                                     |
| high-memory | what is estimated above the threshold, or to take too long, or ran out of memory before       |
| priority    | what a person asked for                                                                       |
| default     | all else                                                                                      |

What a person asked for is first in line wherever it waits.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from router.notifications.record import made
from router.rules import pools
from schemas.config import Config
from schemas.config.lanes import HighMemory, Lane
from schemas.config.sizes import JobVariables, SizeClass
from schemas.config.sources import SourceConfig
from schemas.formats import Format, Options

# Bytes unpacked for a byte packed so, by the ending of the file's name.
PACKINGS: Mapping[str, int] = {".gz": 6, ".zst": 6, ".bz2": 8, ".xz": 10, ".lz4": 3, ".snappy": 3}
FILE_BYTES = 128 * 1024  # what opening one more file costs, in bytes read meanwhile
LEARNING = 0.3  # how much the newest run counts
LEARN_FROM_BYTES = 64 * 1024**2  # below, a run's time is its start, and says nothing of its bytes


class Place(NamedTuple):
    """Where a file waits: in its lane, those of rank 0 (a person asked) before those of rank 1. `estimate` in bytes."""

    lane: Lane
    rank: int
    estimate: int


def estimate(file_format: Format, uri: str, size: int) -> int:
    """Bytes of a file once it is unpacked, with the cost of opening it."""
    return _estimate(file_format.options, uri, size)


def _estimate(options: Options, uri: str, size: int) -> int:
    packing = 1 if options.packs_itself else PACKINGS.get(uri[uri.rfind(".") :].lower(), 1)
    return size * options.expansion * packing + FILE_BYTES


class Sizing:
    """The configuration's sizes, ready to be asked per file."""

    def __init__(self, config: Config) -> None:
        self._lanes = config.lanes
        self._sources = {source.id: source for source in config.sources.values()}
        self._formats = {source.id: source.format.options for source in config.sources.values()}
        self._pins = {source.id: source.lane.pin for source in config.sources.values() if source.lane is not None}
        self._above = config.lanes.high_memory.above

    def place(self, source_id: str, uri: str, size: int, *, asked: bool = False) -> Place:
        """Where a file waits; that of a source that is not configured any more waits until it is again."""
        options = self._formats.get(source_id)
        estimated = size if options is None else _estimate(options, uri, size)
        otherwise: Lane = "high-memory" if estimated > self._above else "priority" if asked else "default"
        return made(Place, (self._pins.get(source_id, otherwise), 0 if asked else 1, estimated))

    def max_bytes(self, source: SourceConfig, lane: Lane, bytes_per_second: float | None) -> int:
        """Where a batch is cut: outside high-memory never so big, or so slow, that it would belong there."""
        limits: list[float] = [source.batch.max_bytes]
        if lane != "high-memory" and source.lane is None:
            limits.append(self._lanes.high_memory.above)
            if bytes_per_second is not None:
                limits.append(bytes_per_second * self._lanes.high_memory.longer_than.total_seconds())
        return max(1, int(min(limits)))

    def lane_of_batch(self, source: SourceConfig, lane: Lane, estimated: int, bytes_per_second: float | None) -> Lane:
        """The lane it waited in, unless this source's runs say that it would take too long there."""
        too_long = self._lanes.high_memory.longer_than.total_seconds()
        if source.lane is None and bytes_per_second is not None and estimated / bytes_per_second > too_long:
            return "high-memory"
        return lane

    def last_class(self, source_id: str) -> int:
        """The biggest size class that a source may have."""
        return len(self._classes(source_id))

    def job_variables(self, source_id: str, size_class: int) -> JobVariables:
        """What the worker of high-memory is told of a run's size; nothing of a run that has none."""
        if size_class == 0:
            return {}
        size = self._classes(source_id)[min(size_class, self.last_class(source_id)) - 1]
        return self._lanes.high_memory.pool.job_variables(size)

    def _classes(self, source_id: str) -> Sequence[SizeClass]:
        source = self._sources.get(source_id)
        pinned = source.lane.size if source is not None and source.lane is not None else None
        return size_classes(self._lanes.high_memory, pinned)


def first_class(lane: Lane) -> int:
    """The size class of a first attempt: 0 where workers are shared."""
    return 1 if lane == "high-memory" else 0


def size_classes(lane: HighMemory, pinned: SizeClass | None) -> Sequence[SizeClass]:
    """The size classes of a source, in the order of trying; one where runs have the memory they have."""
    classes = sorted(lane.classes, key=lambda size: size.memory)
    first = pinned or classes[0]
    if not pools.is_sized(lane.pool.type):
        return [first]
    return [first, *(size for size in classes if size.memory > first.memory)]


def learned(before: float | None, estimated: int, seconds: float) -> float | None:
    """Estimated bytes a second of this source's loads, after one more."""
    if estimated < LEARN_FROM_BYTES or seconds <= 0:
        return before
    rate = estimated / seconds
    return rate if before is None else before * (1 - LEARNING) + rate * LEARNING
