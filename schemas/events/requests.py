"""What a producer may ask for on `ingestion.requests`: a load, a preview, a retry, a cancel.

A request is a CloudEvent like that of a landed file, of the type `autoloader.load.requested.v1`, `.preview.`, `.retry.`
or `.cancel.`. Its `id` is the request's, chosen by the producer: the same id again asks for nothing new, and is
answered by the first outcome. Its `source` is the producer's name, which a source of the configuration may demand.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from schemas.base import Strict, Wire

MAX_FILES_ASKED = 10_000
TYPE = "autoloader.{}.requested.v1"


def _storable(text: str) -> str:
    if "\0" in text:  # PostgreSQL keeps none, and a request must not stop those behind it
        raise ValueError("it holds a NUL character")
    return text


def _in_utc(told: datetime) -> datetime:
    try:
        return (told if told.tzinfo else told.replace(tzinfo=UTC)).astimezone(UTC)
    except OverflowError as error:
        raise ValueError("no such time in UTC") from error


Text = Annotated[str, AfterValidator(_storable)]
Moment = Annotated[datetime, AfterValidator(_in_utc)]  # UTC when it names no zone, as with the time of an event


class LoadAsked(Strict):
    """The `data` of `autoloader.load.requested.v1`: files by URI, or all below a prefix, of one source.

    `source` is the name or the id of a source in the configuration. What is loaded already is skipped, or loaded again
    with `if_loaded: reload` (which appends its rows once more). After the deadline what still waits is given up.
    """

    source: Text
    files: tuple[Text, ...] = Field((), max_length=MAX_FILES_ASKED)
    prefix: Text | None = None
    if_loaded: Literal["skip", "reload"] = "skip"
    deadline: Moment | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if bool(self.files) == (self.prefix is not None):
            raise ValueError("write either files (a list of URIs) or prefix (one URI that ends with a slash)")
        return self


class PreviewAsked(Strict):
    """The `data` of `autoloader.preview.requested.v1`: the first rows of one file, as a load would read them."""

    source: Text
    file: Text
    rows: int = Field(20, ge=1, le=100)


class Targets(Strict):
    """What a retry or a cancel is about: one of these."""

    files: tuple[Text, ...] = Field((), max_length=MAX_FILES_ASKED)
    batch: Text | None = None
    request: Text | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if sum((bool(self.files), self.batch is not None, self.request is not None)) != 1:
            raise ValueError("write one of files (a list of URIs), batch and request (an id)")
        return self


class RetryAsked(Targets):
    """The `data` of `autoloader.retry.requested.v1`: load again what was not loaded (failed, quarantined, missing)."""


class CancelAsked(Targets):
    """The `data` of `autoloader.cancel.requested.v1`: give up what is not in the table yet."""


Asked = LoadAsked | PreviewAsked | RetryAsked | CancelAsked
RequestKind = Literal["load", "preview", "retry", "cancel"]
REQUESTS: Mapping[RequestKind, type[Asked]] = {
    "load": LoadAsked,
    "preview": PreviewAsked,
    "retry": RetryAsked,
    "cancel": CancelAsked,
}


def request_type(asked: Asked) -> str:
    """Find the `type` of the event that asks for it."""
    [kind] = [kind for kind, model in REQUESTS.items() if isinstance(asked, model)]
    return TYPE.format(kind)


class RequestEvent(Wire):
    """The event that asks, of the type `autoloader.<kind>.requested.v1`."""

    specversion: Literal["1.0"] = "1.0"
    id: str
    source: str
    type: str
    time: datetime
    data: LoadAsked | PreviewAsked | RetryAsked | CancelAsked

    def to_json(self) -> str:
        """Write the event as it goes to Kafka, without what was left out."""
        return self.model_dump_json(exclude_none=True, exclude_defaults=False)
