"""The file formats with their options."""

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from schemas.base import Strict


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
