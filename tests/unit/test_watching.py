"""Whether each partition comes on, as a consumer tells it."""

import asyncio
from collections.abc import Sequence

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import LeaderNotAvailableError

from router.adapters.kafka import watching
from router.adapters.kafka.watching import Watch

BUSY, STILL = TopicPartition("t", 0), TopicPartition("t", 1)


class Consumer:
    """Two partitions; the first comes on with each look."""

    def __init__(self, *, behind: int | None = 5, is_away: bool = False) -> None:
        self.positions = {BUSY: 0, STILL: 7}
        self._behind = behind
        self._is_away = is_away

    def assignment(self) -> set[TopicPartition]:
        return set(self.positions)

    async def position(self, partition: TopicPartition) -> int:
        return self.positions[partition]

    async def end_offsets(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        [partition] = partitions
        behind = 100 if partition == BUSY else self._behind
        if behind is None or self._is_away:
            raise LeaderNotAvailableError
        return {partition: self.positions[partition] + behind}


async def look(watch: Watch, consumer: Consumer, *left_out: str) -> None:
    """From its begin to its end."""
    watch.look(consumer, left_out)
    for _ in range(10):
        await asyncio.sleep(0)
    consumer.positions[BUSY] += 1
    watch.look(consumer, left_out)


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Watch:
    monkeypatch.setattr(watching, "LOOK_SECONDS", 0.0)
    return Watch()


@pytest.mark.parametrize(("behind", "words"), [(5, "t/1 has 5 records behind 7, none came"), (None, "t/1 does not")])
async def test_a_partition_that_stands_still_is_told_after_it_was_polled_by_itself(
    watch: Watch, behind: int | None, words: str
) -> None:
    consumer = Consumer(behind=behind)
    await look(watch, consumer)
    await look(watch, consumer)
    suspects = list(watch.suspects)

    with pytest.raises(TimeoutError, match=words):
        await look(watch, consumer)

    assert suspects == [STILL]


async def test_a_partition_that_is_read_to_its_end_is_well(watch: Watch) -> None:
    consumer = Consumer(behind=0)

    for _ in range(5):
        await look(watch, consumer)

    assert watch.suspects == []


async def test_a_broker_that_does_not_answer_is_told_at_the_first_look(watch: Watch) -> None:
    with pytest.raises(TimeoutError, match="no answer"):
        await look(watch, Consumer(is_away=True))


async def test_topics_that_are_left_out_are_told_at_the_first_look(watch: Watch) -> None:
    with pytest.raises(TimeoutError, match="x is left out"):
        await look(watch, Consumer(), "x is left out")
