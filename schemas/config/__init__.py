"""The configuration file, `autoloader.yaml`: its model, loaded and checked.

Sizes are written `2GiB`, durations `10s`, `15m`, `1h`.

What is accepted here cannot stop the router or a consumer: numbers have bounds that the ledger can hold, text is what
it can keep, no file is loaded twice into a table, and nothing we write is read as if it were news.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, ValidationError, field_validator, model_validator

from schemas.base import Strict
from schemas.config.lanes import Lanes
from schemas.config.reading import document
from schemas.config.sizes import ConnectServers
from schemas.config.sources import From, NamedSource, SourceConfig
from schemas.config.topics import ARRIVALS_TOPIC, OUR_TOPICS, TopicConfig
from schemas.config.values import Duration, Prefix, SourceLabel, Topic, checked_prefix
from schemas.globs import may_share


class ConfigError(Exception):
    """The configuration cannot be used: what, where, and what to write instead."""


class Config(Strict):
    """The whole of `autoloader.yaml`.

    A table gets `commit_burst` commits at once and then one each `commit_interval`, so that a steady trickle does not
    make a snapshot a second. What a person asked for is not held up. With `traces` each file belongs to one.
    """

    version: Literal[1]
    allow: tuple[Prefix, ...] = Field(min_length=1)
    topics: dict[Topic, TopicConfig] = {}
    lanes: Lanes = Lanes()
    spark_connect: ConnectServers | None = None
    start_deadline: Duration = Field(timedelta(minutes=15), ge=timedelta(minutes=1))
    commit_interval: Duration = timedelta(seconds=10)
    commit_burst: int = Field(5, ge=1, le=10_000)
    traces: bool = False
    sources: dict[SourceLabel, SourceConfig] = Field(min_length=1)

    @field_validator("allow")
    @classmethod
    def _prefixes(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(checked_prefix(prefix) for prefix in value)

    @field_validator("topics")
    @classmethod
    def _not_ours(cls, value: dict[str, TopicConfig]) -> dict[str, TopicConfig]:
        for topic in value:
            if topic in OUR_TOPICS:
                raise ValueError(f"{topic} is ours; name the topics of your storage's notifications here")
        return value

    @model_validator(mode="after")
    def _sources_fit(self) -> Self:
        ids, credentials = Counter(source.id for source in self.sources.values()), self.credentials
        for name, source in self.sources.items():
            if ids[source.id] > 1:
                raise ValueError(f"sources.{name}.id: {source.id!r} is used twice; every source needs an id of its own")
            if name in ids and name != source.id:
                raise ValueError(f"sources.{name}: another source has the id {name!r}; a request could mean either")
            if not any(source.from_.path.startswith(prefix) for prefix in self.allow):
                raise ValueError(
                    f"sources.{name}.from.path: {source.from_.path} is outside `allow`; add its prefix there"
                )
            if source.from_.credentials != (theirs := credentials.get(source.from_.place)):
                raise ValueError(
                    f"sources.{name}.from.credentials: another source has {theirs} for {source.from_.place}; "
                    f"write the same: a bucket is opened with one set of keys"
                )
        for one, other in self._twice():
            raise ValueError(
                f"sources.{one}: files of {other} can be files of it too, and would be in their table twice; "
                f"give one of them another table, or narrow its path and match"
            )
        return self

    @model_validator(mode="after")
    def _pins_have_sizes(self) -> Self:
        for name, source in self.sources.items():
            if source.lane is None or (size := source.lane.size) is None:
                continue
            try:
                self.lanes.high_memory.pool.job_variables(size)
            except ValueError as error:
                raise ValueError(f"sources.{name}.lane: {error}") from error
        return self

    def _twice(self) -> Iterator[tuple[str, str]]:
        """Find pairs of sources that would load an announced file into the same table."""
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
    def named_sources(self) -> Mapping[str, NamedSource]:
        """Each source by its name and by its id: whoever is told a name finds the same source in it.

        An id in the ledger is none of these: it may be that of a source that is gone, and another's name by now.
        """
        named = [NamedSource(name, source) for name, source in self.sources.items()]
        return {known: one for one in named for known in (one.name, one.source.id)}

    @property
    def source_names(self) -> Mapping[str, str]:
        """The name of each source by its id."""
        return {source.id: name for name, source in self.sources.items()}

    @property
    def credentials(self) -> Mapping[str, str]:
        """The names of credentials by the bucket that they are for, `s3://bucket/`."""
        froms = (source.from_ for source in self.sources.values())
        return {one.place: one.credentials for one in froms if one.credentials is not None}

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
    """Fill in and check the text of a configuration file; `name` is what errors call it.

    Raises:
        ConfigError: as `load_config` does.
    """
    try:
        return Config.model_validate(document(text, environ))
    except ValidationError as error:  # a ValueError too, with a line for each thing that is wrong
        raise ConfigError("\n".join(f"{name}: {line}" for line in _lines(error))) from error
    except ValueError as error:
        raise ConfigError(f"{name}: {error}") from error


def _lines(error: ValidationError) -> list[str]:
    return [
        f"{'.'.join(map(str, found['loc'])) or 'the file'}: {found['msg'].removeprefix('Value error, ')}"
        for found in error.errors()
    ]
