"""Ask for something on Kafka, and wait for the answer."""

import asyncio
import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime

from aiokafka import AIOKafkaConsumer

from cli.environment import user
from cli.kafka import send
from router.adapters.kafka.connecting import Access
from router.adapters.kafka.patience import KAFKA_TROUBLE
from router.errors import Transient
from router.rules.outgoing import OutgoingEvent
from schemas.completions import RequestCompletion
from schemas.config.topics import COMPLETIONS_TOPIC, REQUESTS_TOPIC
from schemas.connections import KafkaConnection, kafka_connection
from schemas.events.requests import Asked, RequestEvent, request_type


def asked_event(asked: Asked, request_id: str | None = None) -> RequestEvent:
    """Make the event of a request by whoever sits at this terminal."""
    return RequestEvent(
        id=request_id or f"cli-{uuid.uuid4().hex[:12]}",
        source=f"/autoloader/cli/{user()}",
        type=request_type(asked),
        time=datetime.now(UTC),
        data=asked,
    )


def ask(environ: Mapping[str, str], event: RequestEvent, *, wait_seconds: float) -> RequestCompletion | None:
    """Send the event; the answer, or None when none came in time. With 0 seconds nothing is waited for."""
    return asyncio.run(_ask(kafka_connection(environ), event, wait_seconds))


async def _ask(connection: KafkaConnection, event: RequestEvent, wait_seconds: float) -> RequestCompletion | None:
    access = Access(connection)
    consumer = AIOKafkaConsumer(COMPLETIONS_TOPIC, **access.options, auto_offset_reset="latest")
    try:
        if wait_seconds:
            await access.start(consumer)
            await consumer.seek_to_end()
        await send(connection, [OutgoingEvent(REQUESTS_TOPIC, event.id, event.to_json())])
        async with asyncio.timeout(wait_seconds):
            return await _answer(consumer, event.id) if wait_seconds else None
    except TimeoutError:
        return None
    except KAFKA_TROUBLE as error:  # aiokafka's errors are no OSError
        raise Transient(f"Kafka: {error}") from error
    finally:
        await consumer.stop()


async def _answer(consumer: AIOKafkaConsumer, request_id: str) -> RequestCompletion:
    while True:
        for records in (await consumer.getmany(timeout_ms=500)).values():
            for record in records:
                found = json.loads(record.value)
                if found["data"].get("request") == request_id:
                    return RequestCompletion.model_validate(found["data"])
