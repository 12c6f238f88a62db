"""The trace to which a record belongs, as its producer told it."""

import orjson

from router.notifications.envelope import MAX_RECORD_BYTES
from router.notifications.record import Record
from schemas.traces import parsed, written

NAMES = ("ce_traceparent", "traceparent")  # the event's own before that of the way it came


def traceparent(record: Record) -> str | None:
    """CloudEvents' extension `traceparent`, else Kafka's header; None when neither is there, or is one. Never raises.

    Source: https://github.com/cloudevents/spec, extensions/distributed-tracing.md
    """
    headers = {name.lower(): value for name, value in record.headers}
    told = [headers[name].decode(errors="replace") for name in NAMES if name in headers]
    for text in (*_in_document(record.value), *told):
        if (trace := parsed(text)) is not None:
            return written(trace)
    return None


def _in_document(value: bytes | None) -> list[str]:
    """Of a structured CloudEvent; looked into only when the word is there at all."""
    if value is None or len(value) > MAX_RECORD_BYTES or b'"traceparent"' not in value:
        return []
    try:
        document = orjson.loads(value)
    except orjson.JSONDecodeError:
        return []
    told = document.get("traceparent") if isinstance(document, dict) and "specversion" in document else None
    return [told] if isinstance(told, str) else []
