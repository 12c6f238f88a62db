"""The configuration file, `autoloader.yaml`: its model, and how it is read.

`${NAME}` in the file is replaced from the environment. Sizes are written `2GiB`, durations `10s`, `15m`, `1h`.

What is accepted here cannot stop the router or a consumer: numbers have bounds that the ledger can hold, text is what
it can keep, no file is loaded twice into a table, and nothing we write is read as if it were news.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import AfterValidator, BeforeValidator, ByteSize, Field, ValidationError, field_validator, model_validator

from schemas.base import Strict
from schemas.globs import GlobError, check, may_share
from schemas.uris import UriError, checked_uri

ARRIVALS_TOPIC = "ingestion.file-arrivals"
REQUESTS_TOPIC = "ingestion.requests"
COMPLETIONS_TOPIC = "ingestion.completions"
DEAD_LETTERS_TOPIC = "ingestion.dead-letters"
OUR_TOPICS = (ARRIVALS_TOPIC, REQUESTS_TOPIC, COMPLETIONS_TOPIC, DEAD_LETTERS_TOPIC)
LONGEST = timedelta(days=365)
MAX_BYTES = 2**60


class ConfigError(Exception):
    """The configuration cannot be used: what, where, and what to write instead."""


def _duration(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)", value.strip())
    if found is None:
        raise ValueError(f"{value!r} is not a duration; write a number with ms, s, m, h or d, such as 10s")
    seconds = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}[found[2]] * float(found[1])
    return min(seconds, 2 * LONGEST.total_seconds())  # more than a duration may be, but one still


def _prefix(value: str) -> str:
    try:
        checked_uri(value)
    except UriError as error:
        raise ValueError(f"{error}; write e.g. s3://landing/orders/") from error
    return value if value.endswith("/") else value + "/"


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not abs(value) <= MAX_BYTES:
        raise ValueError(f"{value} is not a number of bytes; write e.g. 2GiB")
    return value


def _glob(value: str) -> str:
    try:
        check(value)
    except GlobError as error:
        raise ValueError(str(error)) from error
    return value


Duration = Annotated[timedelta, BeforeValidator(_duration), Field(ge=timedelta(0), le=LONGEST)]
Bytes = Annotated[ByteSize, BeforeValidator(_finite), Field(gt=0, le=MAX_BYTES)]
Prefix = Annotated[str, Field(min_length=1)]
Topic = Annotated[str, Field(pattern=r"^[a-zA-Z0-9._-]{1,249}$")]
SourceLabel = Annotated[str, Field(pattern=r"^[^\pC]{1,100}$")]  # a name: no control characters, nothing invisible
Lane = Literal["default", "high-memory", "priority"]
LANES: tuple[Lane, ...] = ("default", "high-memory", "priority")


class Csv(Strict):
    """CSV with a header line in every file."""

    header: Literal[True] = True
    delimiter: str = Field(",", pattern=r'^([^"\r\n\\]{1,2}|\\t)$')
    null_value: str = ""


class Json(Strict):
    """JSON lines: one object a line."""


class Parquet(Strict):
    """Apache Parquet."""


class Format(Strict):
    """Exactly one file format with its options."""

    csv: Csv | None = None
    json_lines: Json | None = Field(None, alias="json")
    parquet: Parquet | None = None

    @model_validator(mode="before")
    @classmethod
    def _options_may_be_left_out(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {value: {}}
        if isinstance(value, Mapping):
            return {
                key: {} if options is None and key in {"csv", "json", "parquet"} else options
                for key, options in value.items()
            }
        return value

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if sum(options is not None for options in (self.csv, self.json_lines, self.parquet)) != 1:
            raise ValueError("name exactly one format: csv, json or parquet")
        return self

    @property
    def kind(self) -> Literal["csv", "json", "parquet"]:
        """Which one."""
        return "csv" if self.csv is not None else "json" if self.json_lines is not None else "parquet"


class From(Strict):
    """Where a source's files land: a prefix, and a glob below it (`*` within a folder, `**` across).

    With `trigger: requests` files are loaded only when somebody asks; `producers` names who may ask (the `source` of
    their events), everybody when it is empty.
    """

    path: Prefix
    match: Annotated[str, AfterValidator(_glob)] = "**"
    trigger: Literal["events", "requests"] = "events"
    producers: tuple[str, ...] = ()

    _path = field_validator("path")(_prefix)


class Into(Strict):
    """The table the files are loaded into, made at the first load."""

    table: str = Field(pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*){2,}$")
    mode: Literal["append"] = "append"
    partition: tuple[Annotated[str, Field(pattern=r"^\w+(\((\d+,\s*)?\w+\))?$")], ...] = ()


class Columns(Strict):
    """What is known of the columns beforehand: their SQL types, used when the table is made."""

    hints: dict[str, Annotated[str, Field(pattern=r"^[A-Za-z][\w ]*(\(\d+(,\s*\d+)?\))?$")]] = {}


class BatchLimits(Strict):
    """When a batch is cut: at this many files or this many estimated bytes, whichever comes first.

    With `min_wait` a batch that is not full waits until its first file was accepted so long ago: later, but fewer runs.
    """

    max_files: int = Field(1000, ge=1, le=10_000)
    max_bytes: Bytes = ByteSize(2 * 1024**3)
    min_wait: Duration = timedelta(0)


class SizeClass(Strict):
    """What a run in Kubernetes gets, as requests and limits alike."""

    cpu: int = Field(ge=1, le=10_000)
    memory: Bytes = Field(ge=512 * 1024**2)


class LanePin(Strict):
    """All of a source's batches go into this lane; `cpu` and `memory` are for a lane in Kubernetes."""

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
        """What was written of it."""
        if self.cpu is None or self.memory is None:
            return None
        return SizeClass(cpu=self.cpu, memory=self.memory)


class SourceConfig(Strict):
    """One source: files that land below a prefix, loaded into one table.

    `id` is the identity of everything recorded of it: rename the source freely, never its id. `weight` is its share
    of a lane that is full.
    """

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")
    from_: From = Field(alias="from")
    format: Format
    columns: Columns = Field(Columns(), alias="schema")
    into: Into
    batch: BatchLimits = BatchLimits()
    weight: float = Field(1, ge=0.001, le=1000)
    lane: LanePin | None = None


class Pool(Strict):
    """The Prefect work pool behind a lane."""

    type: Literal["process", "kubernetes"] = "process"


class LaneConfig(Strict):
    """How many runs of a lane may be in flight (its workers times the slots of each), where they run, and how long.

    A run that a worker took begins within `pending_deadline` (in a Kubernetes pool within `start_deadline`). Then it
    says in the ledger that it lives: it is given up when nothing is heard for `silent_after`, or after `longest_run`.
    """

    pool: Pool = Pool()
    workers: int = Field(1, ge=1, le=100_000)
    slots_per_worker: int = Field(2, ge=1, le=100_000)
    pending_deadline: Duration = Field(timedelta(minutes=1), gt=timedelta(0))
    silent_after: Duration = Field(timedelta(minutes=3), gt=timedelta(0))
    longest_run: Duration = Field(timedelta(hours=6), gt=timedelta(0))

    @property
    def slots(self) -> int:
        """Runs in flight at most."""
        return self.workers * self.slots_per_worker


class HighMemory(LaneConfig):
    """The lane of what is estimated to be big or slow, and of what ran out of memory: the next class each time."""

    pool: Pool = Pool(type="kubernetes")
    above: Bytes = ByteSize(10 * 1024**3)
    longer_than: Duration = Field(timedelta(hours=1), ge=timedelta(seconds=1))
    classes: tuple[SizeClass, ...] = Field(
        (
            SizeClass(cpu=8, memory=ByteSize(32 * 1024**3)),
            SizeClass(cpu=16, memory=ByteSize(64 * 1024**3)),
        ),
        min_length=1,
    )


class Lanes(Strict):
    """The three lanes; what is left out has these defaults."""

    default: LaneConfig = LaneConfig()
    high_memory: HighMemory = Field(HighMemory(), alias="high-memory")
    priority: LaneConfig = LaneConfig()

    def of(self, lane: Lane) -> LaneConfig:
        """The settings of one lane."""
        lanes: dict[Lane, LaneConfig] = {
            "default": self.default,
            "high-memory": self.high_memory,
            "priority": self.priority,
        }
        return lanes[lane]


class TopicConfig(Strict):
    """A topic of storage notifications; what matches no source is counted, or dead-lettered."""

    unmatched: Literal["count", "dead-letter"] = "count"


class Config(Strict):
    """The whole of `autoloader.yaml`.

    A table gets `commit_burst` commits at once and then one each `commit_interval`, so that a steady trickle does not
    make a snapshot a second. What a person asked for is not held up.
    """

    version: Literal[1]
    allow: tuple[Prefix, ...] = Field(min_length=1)
    topics: dict[Topic, TopicConfig] = {}
    lanes: Lanes = Lanes()
    start_deadline: Duration = Field(timedelta(minutes=15), ge=timedelta(minutes=1))
    commit_interval: Duration = timedelta(seconds=10)
    commit_burst: int = Field(5, ge=1, le=10_000)
    sources: dict[SourceLabel, SourceConfig] = Field(min_length=1)

    @field_validator("allow")
    @classmethod
    def _prefixes(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(_prefix(prefix) for prefix in value)

    @field_validator("topics")
    @classmethod
    def _not_ours(cls, value: dict[str, TopicConfig]) -> dict[str, TopicConfig]:
        for topic in value:
            if topic in OUR_TOPICS:
                raise ValueError(f"{topic} is ours; name the topics of your storage's notifications here")
        return value

    @model_validator(mode="after")
    def _sources_fit(self) -> Self:
        ids = Counter(source.id for source in self.sources.values())
        for name, source in self.sources.items():
            if ids[source.id] > 1:
                raise ValueError(f"sources.{name}.id: {source.id!r} is used twice; every source needs an id of its own")
            if name in ids and name != source.id:
                raise ValueError(f"sources.{name}: another source has the id {name!r}; a request could mean either")
            if not any(source.from_.path.startswith(prefix) for prefix in self.allow):
                raise ValueError(
                    f"sources.{name}.from.path: {source.from_.path} is outside `allow`; add its prefix there"
                )
        for one, other in self._twice():
            raise ValueError(
                f"sources.{one}: files of {other} can be files of it too, and would be in their table twice; "
                f"give one of them another table, or narrow its path and match"
            )
        return self

    def _twice(self) -> Iterator[tuple[str, str]]:
        """Sources that would load an announced file into the same table."""
        of_table: dict[str, list[tuple[str, From]]] = {}
        for name, source in self.sources.items():
            if source.from_.trigger == "events":
                of_table.setdefault(source.into.table, []).append((name, source.from_))
        for sources in of_table.values():
            sources.sort(key=lambda source: source[1].path)  # what begins with a path stands right behind it
            for place, (one, mine) in enumerate(sources):
                for other, others in sources[place + 1 :]:
                    if not others.path.startswith(mine.path):
                        break
                    if may_share(mine.path, mine.match, others.path, others.match):
                        yield other, one

    @property
    def arrival_topics(self) -> dict[str, TopicConfig]:
        """Every topic that announces files: our own, and those of the storage systems."""
        return {ARRIVALS_TOPIC: TopicConfig(unmatched="dead-letter"), **self.topics}


def load_config(path: Path, environ: Mapping[str, str]) -> Config:
    """Read, fill in and check the file.

    Raises:
        ConfigError: with one line for each thing that is wrong.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}; set AUTOLOADER_CONFIG to the file's path") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8: {error}") from error
    return parse_config(text, environ, name=str(path))


def parse_config(text: str, environ: Mapping[str, str], *, name: str = "autoloader.yaml") -> Config:
    """The same, of a text at hand."""
    try:
        document = yaml.load(_filled_in(text, environ), _Loader)  # noqa: S506 - a safe loader, that knows a key once
        _check_text(document, environ, name)
        return Config.model_validate(document)
    except ValidationError as error:
        raise ConfigError("\n".join(f"{name}: {line}" for line in _lines(error))) from error
    except (yaml.YAMLError, ValueError) as error:  # a ValueError: something like a date that is none
        raise ConfigError(f"{name}: not YAML: {error}") from error


# Marks a variable that has no value to be put there: what stands in a comment is never seen again.
_NO_VALUE = "\ue000{}\ue001"
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


class _Loader(yaml.SafeLoader):
    """Of a key that is written twice YAML keeps the last: a source would be gone without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = Counter(key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode) and key.value != "<<")
        for key, times in keys.items():
            if times > 1:
                raise yaml.YAMLError(f"the key {key!r} is written {times} times{node.start_mark}")
        return super().construct_mapping(node, deep)


def _filled_in(text: str, environ: Mapping[str, str]) -> str:
    def value(found: re.Match[str]) -> str:
        value = environ.get(found[1])
        return _NO_VALUE.format(found[1]) if value is None or len(value.splitlines()) > 1 else value

    return re.sub(r"\$\{(\w+)\}", value, text)


def _check_text(document: Any, environ: Mapping[str, str], name: str) -> None:
    """Raises ConfigError for a variable without a value, and for text that the ledger cannot keep."""
    for text in _texts(document):
        if found := re.search(_NO_VALUE.format(r"(\w+)"), text):
            wrong = "holds a line break" if found[1] in environ else "is not set in the environment"
            raise ConfigError(f"{name}: ${{{found[1]}}} {wrong}; set it or write the value")
        if _UNSTORABLE.search(text):
            raise ConfigError(f"{name}: {ascii(text)[:100]} holds a NUL character or half a character")


def _texts(document: Any) -> Iterator[str]:
    match document:
        case str():
            yield document
        case Mapping():
            for key, value in document.items():
                yield from _texts(key)
                yield from _texts(value)
        case list():
            for value in document:
                yield from _texts(value)


def _lines(error: ValidationError) -> list[str]:
    return [
        f"{'.'.join(map(str, found['loc'])) or 'the file'}: {found['msg'].removeprefix('Value error, ')}"
        for found in error.errors()
    ]
