"""A message for the outbox: a CloudEvent for a topic of ours, small enough for Kafka."""

from dataclasses import dataclass

from router.rules.publication import bounded
from schemas.completions import (
    CloudEvent,
)


@dataclass(frozen=True, slots=True)
class OutgoingEvent:
    """A message for the outbox; `value` is a CloudEvent in structured JSON."""

    topic: str
    key: str
    value: str


def to_json(event: CloudEvent) -> str:
    """As it is written to Kafka: less than a megabyte."""
    return bounded(event.model_dump_json(by_alias=True))
