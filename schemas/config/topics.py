"""The topics: our own four, and those of a storage system's notifications."""

from typing import Literal

from schemas.base import Strict

ARRIVALS_TOPIC = "ingestion.file-arrivals"
REQUESTS_TOPIC = "ingestion.requests"
COMPLETIONS_TOPIC = "ingestion.completions"
DEAD_LETTERS_TOPIC = "ingestion.dead-letters"
OUR_TOPICS = (ARRIVALS_TOPIC, REQUESTS_TOPIC, COMPLETIONS_TOPIC, DEAD_LETTERS_TOPIC)


class TopicConfig(Strict):
    """A topic of storage notifications; what matches no source is counted, or dead-lettered."""

    unmatched: Literal["count", "dead-letter"] = "count"
