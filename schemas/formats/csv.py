"""CSV: values that a delimiter parts, in lines. The options are Spark's own, by its names or by ours."""

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, AliasChoices, Field, StringConstraints, model_validator

from schemas.base import Strict
from schemas.formats.encodings import JAVA_CHARSETS, codec


def _mark(text: str) -> str:
    """The text, if Spark has room for it (one UTF-16 unit) and does not trim it away."""
    if len(text) != 1 or text <= " " or "\ud800" <= text <= "\udfff" or text > "\uffff":
        raise ValueError(f"{text!r} is not one character that can be seen")
    return text


def _mark_or_none(text: str) -> str:
    return _mark(text) if text else text


def _known(encoding: str) -> str:
    codec(encoding)
    return encoding


_Mark = Annotated[str, AfterValidator(_mark)]
_Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


def _spelled(ours: str, sparks: str) -> AliasChoices:
    return AliasChoices(ours, sparks)


class Csv(Strict):
    """CSV. A person may write each option by either of its names; it is kept by the first.

    `quote`: empty when values are never quoted. `escape`: what makes a quote within quotes text, which is the quote
    itself when left out. `names`: those of the columns, of files without a header line or instead of what it says.
    `null_value`: the text, or the texts, that stand for NULL. `decimal`: what parts the fraction of a number.
    """

    expansion: ClassVar[int] = 1
    packs_itself: ClassVar[bool] = False

    header: bool = True
    names: tuple[_Name, ...] = ()
    delimiter: str = Field(",", pattern=r'^([^"\r\n\\]{1,2}|\\t)$', validation_alias=_spelled("delimiter", "sep"))
    quote: Annotated[str, AfterValidator(_mark_or_none)] = '"'
    escape: _Mark | None = None
    comment: _Mark | None = None
    multi_line: bool | Literal["auto"] = Field("auto", validation_alias=_spelled("multi_line", "multiLine"))
    encoding: Annotated[str, AfterValidator(_known)] = Field("utf-8", validation_alias=_spelled("encoding", "charset"))
    null_value: str | tuple[str, ...] = Field("", validation_alias=_spelled("null_value", "nullValue"))
    decimal: Literal[".", ","] = "."

    @property
    def separator(self) -> str:
        """The characters of the delimiter themselves: the configuration may write a tab as Spark does."""
        return "\t" if self.delimiter == "\\t" else self.delimiter

    @property
    def escaping(self) -> str:
        """The character that makes a quote within quotes text: the quote itself, or another one."""
        return self.quote if self.escape is None else self.escape

    @property
    def null_values(self) -> tuple[str, ...]:
        """The texts that stand for NULL."""
        return (self.null_value,) if isinstance(self.null_value, str) else self.null_value

    @property
    def codec(self) -> str:
        """Python's name of the encoding."""
        return codec(self.encoding)

    @property
    def is_wide(self) -> bool:
        """Whether a line feed is more than one byte."""
        return self.codec.startswith(("utf-16", "utf-32"))

    @property
    def java_charset(self) -> str:
        """Java's name of the encoding."""
        return JAVA_CHARSETS[self.codec]

    @model_validator(mode="after")
    def _each_character_means_one_thing(self) -> Self:
        if self.escape and not self.quote:
            raise ValueError("escape counts within quotes only, and quote is empty")
        marks = list(self._marks())
        for n, (name, mark) in enumerate(marks):
            for other, theirs in marks[:n]:
                if theirs in mark or mark in theirs:
                    raise ValueError(f"{other} and {name} are both {mark!r}; each must mean one thing")
        return self

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        folded = [name.lower() for name in self.names]
        if twice := next((name for name in folded if folded.count(name) > 1), None):
            raise ValueError(f"names holds {twice!r} twice")
        return self

    def _marks(self) -> Iterator[tuple[str, str]]:
        yield "delimiter", self.separator
        if self.quote:
            yield "quote", self.quote
        if self.escaping != self.quote:
            yield "escape", self.escaping
        if self.comment:
            yield "comment", self.comment
