"""Kafka for what goes out, as `adapters.kafka.publisher` writes it."""

from collections.abc import Callable, Sequence

from router.rules.outgoing import OutgoingEvent
from router.rules.publication import Acknowledged, Answer, Delayed, Refused


class FakePublisher:
    """See `ports.publication.Publisher`. `written` is what consumers read, repetitions included.

    A topic that is `missing` takes nothing, one with a limit nothing larger. `delays` says by chance of a written event
    that this is not known. What is behind an event in trouble, under the same key, waits for it.
    """

    def __init__(self, delays: Callable[[], bool] = lambda: False) -> None:
        self.away = False
        self.loses_acknowledgements = False
        self.missing: set[str] = set()
        self.max_bytes: dict[str, int] = {}
        self.written: list[OutgoingEvent] = []
        self._delays = delays

    async def publish(self, events: Sequence[OutgoingEvent]) -> Sequence[Answer]:
        troubled: set[tuple[str, str]] = set()
        answers: list[Answer] = []
        for event in events:
            key = (event.topic, event.key)
            answer = Delayed("Kafka: it waits for what is before it") if key in troubled else self._answer(event)
            if not isinstance(answer, Acknowledged):
                troubled.add(key)
            answers.append(answer)
        return answers

    def _answer(self, event: OutgoingEvent) -> Answer:
        if self.away or event.topic in self.missing:
            return Delayed(f"Kafka: {event.topic}: away")
        if len(event.value.encode()) > self.max_bytes.get(event.topic, len(event.value.encode())):
            return Refused("Kafka: too large", is_too_large=True)
        self.written.append(event)
        if self.loses_acknowledgements or self._delays():
            return Delayed("Kafka: the acknowledgement was lost")
        return Acknowledged()
