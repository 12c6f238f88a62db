"""Requests: CloudEvents 1.0 on the topic `ingestion.requests`, structured or binary. See `schemas.events`."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from router.errors import Rejected
from router.notifications import fields
from router.notifications.envelope import binary_attributes, document_of
from router.notifications.record import Position, Record
from schemas.events.requests import REQUESTS, TYPE, Asked, RequestKind
from schemas.report import MAX_REASON_LETTERS

MAX_NAME_LETTERS = 200
MODELS: Mapping[str, tuple[RequestKind, type[Asked]]] = {
    TYPE.format(kind): (kind, model) for kind, model in REQUESTS.items()
}


@dataclass(frozen=True, slots=True)
class Request:
    """What a producer asks for. `asked` is None when it cannot be understood: `refused` says why."""

    id: str
    kind: RequestKind
    producer: str
    asked: Asked | None
    refused: str | None
    time: datetime
    position: Position


def request(record: Record) -> Request:
    """The request in a record.

    Raises:
        Rejected: it is no request at all, so there is nobody to answer to. One whose data is wrong is a refused one.
    """
    document = document_of(record)
    binary = binary_attributes(record)
    attributes, data = (document, document.get("data")) if binary is None else (binary, document)
    if not fields.text(attributes, "specversion").startswith("1."):
        raise Rejected("unsupported-version", "write CloudEvents 1.0: specversion 1.0")
    request_id, producer = _name(attributes, "id"), _name(attributes, "source")
    kind = fields.text(attributes, "type")
    if kind not in MODELS:
        raise Rejected("unsupported-type", f"type {ascii(kind)[:100]}; known: {', '.join(MODELS)}")
    name, model = MODELS[kind]
    asked, refused = _checked(model, data)
    time = fields.moment(attributes, "time", record.written)
    return Request(request_id, name, producer, asked, refused, time, record.position)


def _name(attributes: Mapping[str, Any], key: str) -> str:
    """A name that is kept and told again: not too long, without control characters."""
    name = fields.text(attributes, key)
    if len(name) > MAX_NAME_LETTERS or not name.isprintable():
        raise Rejected("bad-field", f"{key}: {fields.shown(name)} is not a name of at most {MAX_NAME_LETTERS} letters")
    return name


def _checked(model: type[Asked], data: object) -> tuple[Asked | None, str | None]:
    try:
        return model.model_validate(data), None
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, one['loc'])) or 'data'}: {one['msg']}" for one in error.errors()[:5]]
        return None, "; ".join(line.replace("Value error, ", "") for line in lines)[:MAX_REASON_LETTERS]
