"""The base of every model on the wire or in the config: frozen, and strict about keys."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator


class Wire(BaseModel):
    """A message of ours as read: unknown keys are ignored, so that either side may be the newer one."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)


class Strict(BaseModel):
    """Something a person wrote: an unknown key is an error that names the nearest known key."""

    model_config = ConfigDict(frozen=True, populate_by_name=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _name_the_nearest_key(cls, value: Any) -> Any:
        if isinstance(value, Mapping):
            known = sorted({field.alias or name for name, field in cls.model_fields.items()})
            for key in value:
                if key not in known and key not in cls.model_fields:
                    raise ValueError(unknown_key(str(key), known))
        return value


def unknown_key(key: str, known: list[str]) -> str:
    """The text for a key that nobody knows: the nearest one, or all of them."""
    near = get_close_matches(key, known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(known)}"
    return f"unknown key {key!r}; {hint}"
