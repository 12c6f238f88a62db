"""What may go wrong in a load. How the errors of Spark, Iceberg, storage and database become these few: `translation`.

    Rejected         wrong data, or a table or a source that does not fit: trying again changes nothing, a person must
    Infrastructure   storage, catalog, Spark Connect or database is away: try again later
    ServerLost       the Spark Connect server went away while it was used: try again, but count it
    Denied           of these: keys, rights or settings are wrong, and the data is not
    OutOfMemory      try again with more
    NotWanted        another attempt has the batch, or it has ended: go home quietly
    Unreadable       one file cannot be read: goes on without it
    Unfit            one file is wrong, as our own look at it has found: goes on without it
    Vanished         a file went away while it was read: ask the storage again
    AlreadyPublished the catalog refuses a second snapshot of the batch
    Outrun           another commit came first: look at the table again
    Unheard          the answer to a commit was lost: look whether it is in the table
    Unexplained      a crash, in one line instead of Java's stack

Anything else is a crash.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

from schemas.report import Cause, Target
from schemas.settings import SettingsError

if TYPE_CHECKING:
    from collections.abc import Collection


class LoadError(Exception):
    """The base of the errors of a load; its text is for people."""


class Rejected(LoadError):
    """The data or the configuration is wrong: what, where, and what to do."""


class Infrastructure(LoadError):
    """Something this load needs is away, or does not let it in.

    `target` says which; None when none of those is: others were faster, what was found has to be looked at again, or
    the run's own Spark does not start.
    """

    def __init__(self, reason: str, *, target: Target | None) -> None:
        super().__init__(reason)
        self.target = target


class ServerLost(Infrastructure):
    """The Spark Connect server went away, or was started anew, while this load used it: perhaps the load ended it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, target="connect")


class Unheard(Infrastructure):
    """Nobody knows whether a commit was made. To try again is safe: a batch is published under its id once."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the catalog fails: {reason}", target="catalog")


class Denied(Infrastructure):
    """It is there but does not let us in, or Spark is not set up for it: a person must mend that, and not the data."""


class OutOfMemory(LoadError):
    """The load needs more memory than it had."""


class NotWanted(LoadError):
    """Nobody waits for this attempt any more."""


class AlreadyPublished(LoadError):
    """A snapshot of this batch is in the table's history."""


class Outrun(LoadError):
    """Somebody else committed to the table in between."""


class Unfit(LoadError):
    """Why a file cannot be read rightly, for people; whoever looked knows which file."""


class Unexplained(LoadError):
    """An error of a vendor that has no name here, in one line: a crash."""


class FileError(LoadError):
    """One file, as the vendor spells it, and why."""

    def __init__(self, reason: str, path: str, *, encoded: bool) -> None:
        super().__init__(f"{path}: {reason}")
        self.reason = reason
        self._spellings = [path, unquote(path)]
        if encoded:
            self._spellings.reverse()

    def uri(self, known: Collection[str]) -> str | None:
        """Which of the known URIs is meant."""
        found = (spelled(path) for path in self._spellings)
        return next((uri for uri in found if uri in known), None)


class Unreadable(FileError):
    """A file that is cut off, or holds what its format does not allow.

    `malformed` when a record does not fit; a file cut off is not.
    """

    malformed: bool = False


class Vanished(FileError):
    """A file that was there a moment ago."""


def spelled(path: str) -> str:
    """A path of Hadoop's (`file:/a`, `file:///a`, `s3://b/a`) as `schemas.uris` spells it."""
    return re.sub("^file:/+", "file:///", path)


def cause_of(error: BaseException) -> Cause:
    """The word for the ledger."""
    match error:
        case Rejected():
            return "wrong-data"
        case ServerLost():
            return "server-lost"
        case Infrastructure() | Outrun() | Vanished() | SettingsError():
            return "infrastructure"
        case OutOfMemory():
            return "out-of-memory"
        case _:
            return "crash"


def target_of(error: BaseException) -> Target | None:
    """What was away, for the ledger."""
    return error.target if isinstance(error, Infrastructure) else None
