"""How long aiokafka is waited for, and which of its errors pass: all that Kafka says, and all that the network says."""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import ConsumerStoppedError, IllegalOperation, KafkaError

T = TypeVar("T")

# The last two are no KafkaError: a client that was closed, or has lost its group, while it was asked for something.
KAFKA_TROUBLE = (KafkaError, OSError, TimeoutError, ConsumerStoppedError, IllegalOperation)
CHECK_SECONDS = 10
START_SECONDS = 60  # a group may take its time to form
STOP_SECONDS = 5


async def within(seconds: float, call: Coroutine[Any, Any, T]) -> T:
    """`wait_for`, except that it neither waits for what ignores its cancellation nor is cancelled from within.

    aiokafka's calls do both while a broker is away: `stop` lets the cancellation of its own tasks out.
    """
    task = asyncio.ensure_future(call)
    task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
    try:
        done, _ = await asyncio.wait({task}, timeout=seconds)
    finally:
        task.cancel()
    if not done or task.cancelled():
        raise TimeoutError(f"no answer within {seconds} s")
    return task.result()


async def stopped(client: AIOKafkaConsumer | AIOKafkaProducer) -> None:
    """Stop it, but wait only so long for a broker that may be away."""
    with suppress(*KAFKA_TROUBLE):
        await within(STOP_SECONDS, client.stop())
