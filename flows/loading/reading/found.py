"""What a file has: its columns, each with its name as the file spells it and what its values are."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

from flows.loading.reading.plain import joined

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pyspark.sql.types import DataType

    from flows.loading.reading.plain import Plain

Token = Literal["null", "bool", "int", "float", "str"]


@dataclass(frozen=True, slots=True)
class Texts:
    """Values are texts: what they are is for the table to say, or to be guessed."""


@dataclass(slots=True)
class Tokens:
    """The values of JSON: the kinds of tokens, and what is within objects and arrays; None when there are none.

    `plain`: how all of them are spelled, nulls apart, if that is proven and plain.
    """

    tokens: set[Token] = field(default_factory=set)
    fields: dict[str, Tokens] | None = None
    element: Tokens | None = None
    plain: Plain | None = field(default=None, compare=False)

    @property
    def scalar(self) -> bool:
        """Whether some are neither objects nor arrays, nor null."""
        return bool(self.tokens - {"null"})

    @property
    def is_empty(self) -> bool:
        """Whether there are none, or nulls alone."""
        return not self.scalar and self.fields is None and self.element is None

    @property
    def mixed(self) -> bool:
        """Whether they are of several shapes, so that only their text holds them all."""
        return self.scalar + (self.fields is not None) + (self.element is not None) > 1

    def covers(self, other: Tokens) -> bool:
        """Whether nothing would be learnt of the other but a null."""
        fields = self.fields or {}
        return (
            self.tokens >= other.tokens - {"null"}
            and all(name in fields and fields[name].covers(one) for name, one in (other.fields or {}).items())
            and (other.element is None or (self.element is not None and self.element.covers(other.element)))
        )

    def merge(self, other: Tokens) -> None:
        """Take in what another file has."""
        if not other.is_empty:
            self.plain = other.plain if self.is_empty else joined(self.plain, other.plain)
        self.tokens |= other.tokens
        if other.fields is not None:
            mine = self.fields = self.fields or {}
            for name, below in other.fields.items():
                mine.setdefault(name, Tokens()).merge(below)
        if other.element is not None:
            self.element = self.element or Tokens()
            self.element.merge(other.element)


@dataclass(frozen=True, slots=True)
class Typed:
    """Values have a type of Spark's, which holds each of them exactly. `made`: it is made of what is stored first."""

    kind: DataType
    made: bool = False


Values: TypeAlias = Texts | Tokens | Typed


def merged(values: Iterable[Values]) -> Tokens | None:
    """What several files together have in a column of JSON; None when it is of another format."""
    found = [one for one in values if isinstance(one, Tokens)]
    together = Tokens()
    for one in found:
        together.merge(one)
    return together if found else None


@dataclass(frozen=True, slots=True)
class Found:
    """The columns of a file, by their names as it spells them, in its order."""

    columns: dict[str, Values]
