"""The base of every model on the wire or in the config: frozen, and strict about keys."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from pydantic import AliasChoices, BaseModel, ConfigDict, model_validator
from pydantic.fields import FieldInfo


class Wire(BaseModel):
    """A message of ours as read: unknown keys are ignored, so that either side may be the newer one."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)


class Strict(BaseModel):
    """Something a person wrote: an unknown key is an error that names the nearest known key.

    A key that has two spellings is written in one of them: the other one beside it is an error too.
    """

    model_config = ConfigDict(frozen=True, populate_by_name=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _name_the_nearest_key(cls, value: Any) -> Any:
        if isinstance(value, Mapping):
            spellings = [list(_spellings(name, field)) for name, field in cls.model_fields.items()]
            known = sorted({key for keys in spellings for key in keys})
            for key in value:
                if key not in known and key not in cls.model_fields:
                    raise ValueError(unknown_key(str(key), known))
            for keys in spellings:
                if len(written := [key for key in keys if key in value]) > 1:
                    raise ValueError(f"{' and '.join(map(repr, written))} are one key; write one of them")
        return value


def _spellings(name: str, field: FieldInfo) -> Iterator[str]:
    """How a person may write the key of this field."""
    if isinstance(field.validation_alias, AliasChoices):
        yield from (choice for choice in field.validation_alias.choices if isinstance(choice, str))
    else:
        yield field.alias or name


def unknown_key(key: str, known: list[str]) -> str:
    """The text for a key that nobody knows: the nearest one, or all of them."""
    return f"unknown key {key!r}; {nearest(key, known, 'keys')}"


def nearest(word: str, known: list[str], kind: str) -> str:
    """The question whether the nearest of the known words was meant, or all of this kind when none is near."""
    if not known:
        return f"there are no {kind} here"
    near = get_close_matches(word, known, n=1)
    return f"did you mean {near[0]!r}?" if near else f"known {kind}: {', '.join(known)}"
