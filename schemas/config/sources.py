"""A source: where its files land, what they are, and the table they are loaded into."""

from datetime import timedelta
from typing import Annotated, Literal, NamedTuple, Self
from zoneinfo import available_timezones

from pydantic import AfterValidator, ByteSize, Field, field_validator, model_validator

from schemas.base import Strict
from schemas.config.lanes import Lane
from schemas.config.sizes import SizeClass
from schemas.config.values import Bytes, Duration, Prefix, checked_glob, checked_prefix
from schemas.formats import Format


class From(Strict):
    """Where a source's files land: a prefix, and a glob below it (`*` within a folder, `**` across).

    With `trigger: requests` files are loaded only when somebody asks; `producers` names who may ask (the `source` of
    their events), everybody when it is empty. `credentials` names the variables with the keys of its bucket, where
    those are not the usual ones (`storage.credentials`).
    """

    path: Prefix
    match: Annotated[str, AfterValidator(checked_glob)] = "**"
    trigger: Literal["events", "requests"] = "events"
    producers: tuple[str, ...] = ()
    credentials: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,40}$")] | None = None

    _path = field_validator("path")(checked_prefix)

    @property
    def place(self) -> str:
        """The bucket of an object store, as the beginning of its URIs."""
        scheme, _, rest = self.path.partition("://")
        return f"{scheme}://{rest.partition('/')[0]}/"


class Into(Strict):
    """The table the files are loaded into, made at the first load."""

    table: str = Field(pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*){2,}$")
    mode: Literal["append"] = "append"
    partition: tuple[Annotated[str, Field(pattern=r"^\w+(\((\d+,\s*)?\w+\))?$")], ...] = ()


SqlType = Annotated[str, Field(pattern=r"^[A-Za-z][\w ]*(\(\d+(,\s*\d+)?\))?$")]


class Spellings(Strict):
    """How dates and times are written, as patterns of Spark's; the zone of times that say none."""

    date: str | None = Field(None, min_length=1)
    timestamp: str | None = Field(None, min_length=1)
    zone: str = "UTC"

    @field_validator("zone")
    @classmethod
    def _known_zone(cls, zone: str) -> str:
        if zone not in available_timezones():
            raise ValueError(f"{zone!r} is not a time zone; write e.g. Europe/Berlin")
        return zone


class Columns(Strict):
    """What is known of the columns beforehand, and what a column that nobody knows does.

    `columns` are those of the table with their SQL types, `hints` the types of some; the other types are found in the
    files. A file without one of the `required` columns is set aside.
    """

    mode: Literal["add-columns", "rescue", "fixed", "fail"] = "add-columns"
    columns: dict[str, SqlType] = {}
    hints: dict[str, SqlType] = {}
    required: tuple[str, ...] = ()
    formats: Spellings = Spellings()

    @property
    def given(self) -> dict[str, str]:
        """The types that are written, by column."""
        return {**self.hints, **self.columns}


class BadRows(Strict):
    """How many records of a file may be bad, and are kept aside while the others are loaded: a number, or a share."""

    max: Annotated[str, Field(pattern=r"^\d{1,3}(\.\d+)?%$")] | Annotated[int, Field(ge=0)] = 0

    def allows(self, bad: int, records: int) -> bool:
        """Whether a file with so many bad records is loaded without them."""
        if isinstance(self.max, int):
            return bad <= self.max
        return bad * 100 <= float(self.max.rstrip("%")) * records


class BatchLimits(Strict):
    """When a batch is cut: at this many files or this many estimated bytes, whichever comes first.

    With `min_wait` a batch that is not full waits until its first file was accepted so long ago: later, but fewer runs.
    """

    max_files: int = Field(1000, ge=1, le=10_000)
    max_bytes: Bytes = ByteSize(2 * 1024**3)
    min_wait: Duration = timedelta(0)


class LanePin(Strict):
    """All of a source's batches go into this lane; `cpu` and `memory` are for runs that have a size each."""

    pin: Lane
    cpu: int | None = Field(None, ge=1, le=10_000)
    memory: Bytes | None = Field(None, ge=512 * 1024**2)

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if (self.cpu is None) != (self.memory is None):
            raise ValueError("write both cpu and memory, e.g. cpu: 16, memory: 64GiB, or neither")
        if self.cpu is not None and self.pin != "high-memory":
            raise ValueError("cpu and memory are for pin: high-memory; the other lanes share their workers")
        return self

    @property
    def size(self) -> SizeClass | None:
        """The size class that `cpu` and `memory` make, if they are written."""
        if self.cpu is None or self.memory is None:
            return None
        return SizeClass(cpu=self.cpu, memory=self.memory)


class SourceConfig(Strict):
    """One source: files that land below a prefix, loaded into one table.

    `id` is the identity of everything recorded of it: rename the source freely, never its id. `weight` is its share
    of a lane that is full. `objective` is how soon a file's rows should be in the table: nothing is done differently
    for it, but metrics tell it, and an alert compares.
    """

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")
    from_: From = Field(alias="from")
    format: Format
    columns: Columns = Field(Columns(), alias="schema")
    bad_rows: BadRows = BadRows()
    into: Into
    batch: BatchLimits = BatchLimits()
    weight: float = Field(1, ge=0.001, le=1000)
    objective: Duration = Field(timedelta(minutes=15), ge=timedelta(seconds=1))
    lane: LanePin | None = None


class NamedSource(NamedTuple):
    """A source with the name it has in the configuration."""

    name: str
    source: SourceConfig
