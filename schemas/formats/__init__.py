"""The file formats: a module each, with the options a person writes and what both sides know a format by.

`expansion`: bytes in memory for a byte in storage, once a compression that the file's name tells is undone.
`packs_itself`: compression is part of the format, so the file's name tells of none.

A new format is a module here, its place in `Options` and in `Format`. mypy then names each `match` that lacks it.
"""

from collections.abc import Mapping
from typing import Any, Self, TypeAlias

from pydantic import Field, model_validator

from schemas.base import Strict
from schemas.formats.csv import Csv
from schemas.formats.json import Json
from schemas.formats.parquet import Parquet

Options: TypeAlias = Csv | Json | Parquet


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
            return {key: {} if options is None and key in _kinds() else options for key, options in value.items()}
        return value

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if len(self._named()) != 1:
            *first, last = _kinds()
            raise ValueError(f"name exactly one format: {', '.join(first)} or {last}")
        return self

    @property
    def options(self) -> Options:
        """The options of the one format that is named; their class tells which it is."""
        return self._named()[0]

    def _named(self) -> list[Options]:
        written = [getattr(self, name) for name in type(self).model_fields]
        return [options for options in written if options is not None]


def _kinds() -> list[str]:
    """Name the formats as the configuration does."""
    return [field.alias or name for name, field in Format.model_fields.items()]
