"""Objects as every storage tells them, and what may be wrong with an answer."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Measured:
    """An object as the storage tells it: its version mark as in `schemas.uris`, its size in bytes."""

    version: str
    size: int


@dataclass(frozen=True, slots=True)
class Listed:
    """An object below a prefix."""

    uri: str
    measured: Measured


class Unsaid(Exception):
    """The storage answered "not found", and did not say that it is the object which is not there: in its words."""


class Unlistable(Exception):
    """A prefix holds an object whose key no URI of ours can hold: in the client's words."""


class Unreadable(Exception):
    """A file that is there and cannot be read, with the reason."""
