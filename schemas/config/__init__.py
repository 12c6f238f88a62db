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
from typing import Any, Literal, Self

import yaml
from pydantic import Field, ValidationError, field_validator, model_validator

from schemas.base import Strict
from schemas.config.lanes import Lanes
from schemas.config.sources import From, SourceConfig
from schemas.config.topics import ARRIVALS_TOPIC, OUR_TOPICS, TopicConfig
from schemas.config.values import Duration, Prefix, SourceLabel, Topic, checked_prefix
from schemas.globs import may_share


class ConfigError(Exception):
    """The configuration cannot be used: what, where, and what to write instead."""


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
