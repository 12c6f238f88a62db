"""Whether each partition comes on: aiokafka says nothing of one that does not, nor of a broker that is away.

It may hang alive as a whole (aiokafka#1154); and of a leader that is lost, or of a log that the broker cannot read, it
only logs that it tries again.
"""

import asyncio
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, TopicPartition

from router.adapters.kafka.patience import CHECK_SECONDS, KAFKA_TROUBLE, within

LOOK_SECONDS = 10.0
LONGEST_PAUSE_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a partition stands, and how many records are behind that; None: nobody answers."""

    position: int | None = None
    behind: int | None = None


class Watch:
    """Looks beside the polls, every ten seconds; what it finds is told by the poll after.

    A partition stands still when three looks find it at one place, with records behind that, though it was polled by
    itself between the last two: what the others have in store may hide it from a poll of all.
    """

    def __init__(self) -> None:
        self._pause = LOOK_SECONDS
        self._next_look = 0.0
        self._looking: asyncio.Task[Mapping[TopicPartition, Standing]] | None = None
        self._before: Mapping[TopicPartition, Standing] = {}
        self.suspects: Sequence[TopicPartition] = ()

    def begin(self) -> None:
        """With a new consumer: it is given more time after each that had to be given up."""
        self._next_look = time.monotonic() + self._pause
        self._before, self.suspects = {}, ()

    def end(self) -> None:
        """The consumer is given up."""
        if self._looking is not None:
            self._looking.cancel()
        self._looking = None

    def look(self, consumer: AIOKafkaConsumer, left_out: Collection[str]) -> None:
        """Go on with the look, if it is time for one.

        Raises:
            TimeoutError: something stands still, or topics are left out; a new consumer may find it well.
        """
        if self._looking is None:
            if time.monotonic() >= self._next_look:
                self._looking = asyncio.ensure_future(_seen(consumer))
        elif self._looking.done():
            seen, self._looking = self._looking.result(), None
            self._next_look = time.monotonic() + LOOK_SECONDS
            self._judge({tp: standing for tp, standing in seen.items() if tp in consumer.assignment()}, left_out)

    def _judge(self, seen: Mapping[TopicPartition, Standing], left_out: Collection[str]) -> None:
        if seen and all(standing.behind is None for standing in seen.values()):
            raise TimeoutError(f"no answer within {CHECK_SECONDS} s")
        unmoved = [
            tp
            for tp, standing in seen.items()
            if standing.behind != 0 and tp in self._before and self._before[tp].position == standing.position
        ]
        troubles = [*left_out, *(_told(tp, seen[tp]) for tp in unmoved if tp in self.suspects)]
        self._before, self.suspects = seen, unmoved
        self._pause = min(self._pause * 2, LONGEST_PAUSE_SECONDS) if troubles else LOOK_SECONDS
        if troubles:
            raise TimeoutError("; ".join(troubles))


async def _seen(consumer: AIOKafkaConsumer) -> Mapping[TopicPartition, Standing]:
    partitions = sorted(consumer.assignment())
    return dict(zip(partitions, await asyncio.gather(*(_standing(consumer, tp) for tp in partitions)), strict=True))


async def _standing(consumer: AIOKafkaConsumer, partition: TopicPartition) -> Standing:
    """Each partition by itself: its leader may be the only one that is away."""
    position: int | None = None
    try:
        position = await within(CHECK_SECONDS, consumer.position(partition))
        ends = await within(CHECK_SECONDS, consumer.end_offsets([partition]))
    except KAFKA_TROUBLE:
        return Standing(position)
    return Standing(position, max(0, ends[partition] - (position or 0)))


def _told(partition: TopicPartition, standing: Standing) -> str:
    name = f"{partition.topic}/{partition.partition}"
    if standing.behind is None:
        return f"{name} does not answer"
    return f"{name} has {standing.behind} records behind {standing.position}, none came"
