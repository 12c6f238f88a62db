"""What requests ask of the ledger: to be recorded, resolved into files, and ended."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal, Protocol, TypeAlias

from router.notifications.requests import Request
from router.rules.answers import FinishedRequest, RequestEnd
from router.rules.identity import Identity
from router.rules.outgoing import OutgoingEvent
from router.rules.sizing import Place


@dataclass(frozen=True, slots=True)
class AskedRequest:
    """A request that may be carried out, with the id of the source it names; or how it ends, being refused.

    `taken` is its dead letter for the case that another producer has used its id.
    """

    request: Request
    taken: OutgoingEvent
    source_id: str | None = None
    refusal: RequestEnd | None = None


@dataclass(frozen=True, slots=True)
class LoadToResolve:
    """A load or a preview whose files are not all known: the next of those it names, or all below a prefix.

    `cursor`: how far that is done. `reload`: what is loaded already is loaded once more.
    """

    id: str
    kind: Literal["load", "preview"]
    producer: str
    source_id: str
    reload: bool
    files: Sequence[str] = ()
    prefix: str | None = None
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class RetryToResolve:
    """A retry to be carried out; `source_ids` are those whose files it is about."""

    id: str
    producer: str
    source_ids: frozenset[str]
    kind: Literal["retry"] = "retry"


@dataclass(frozen=True, slots=True)
class CancelToResolve:
    """A cancel to be carried out; `source_ids` are those whose files it is about."""

    id: str
    producer: str
    source_ids: frozenset[str]
    kind: Literal["cancel"] = "cancel"


ToResolve: TypeAlias = LoadToResolve | RetryToResolve | CancelToResolve


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file that a request asks for, as the storage has it."""

    identity: Identity
    uri: str
    size: int
    place: Place


@dataclass(frozen=True, slots=True)
class Found:
    """What listing a part of a request gave; with `is_all` nothing of it is left to be listed.

    `refused`: files that the source does not take any more, and why. `trouble` is why it gave nothing: what follows may
    be better.
    """

    request_id: str
    files: Sequence[FoundFile] = ()
    missing: Sequence[str] = ()
    refused: Mapping[str, str] = field(default_factory=dict)
    cursor: str | None = None
    is_all: bool = False
    trouble: str | None = None


class RequestLedger(Protocol):
    """The ledger of requests: `request` and `request_file`."""

    async def record_requests(self, requests: Sequence[AskedRequest], letters: Sequence[OutgoingEvent]) -> int:
        """Take in what was asked; says how many were new.

        A known id asks for nothing new; if its request has ended, its completion event goes out once more.
        """

    async def request_to_resolve(self, files: int) -> ToResolve | None:
        """Give out a request whose listing is due, to one caller for a minute; with as many of the files it names."""

    async def save_found(self, found: Found, *, reload: bool) -> int:
        """Files of a request; says how many of them now wait to be loaded because of it.

        What waits already is moved to its new place. What has ended waits anew, but what is loaded only to be reloaded.
        """

    async def retry_files(self, retry: RetryToResolve, pinned: Sequence[str]) -> int:
        """All that the request is about and was not loaded waits anew; in its own lane where that is pinned."""

    async def cancel_files(self, cancel: CancelToResolve, reason: str) -> int:
        """What waits of all that the request is about has failed, an open batch is closing; says how many files."""

    async def put_off(self, request_id: str, trouble: str, cursor: str | None) -> None:
        """Its listing goes on later, after `cursor`."""

    async def requests_at_end(self, limit: int) -> Sequence[str]:
        """Open requests that are at their end: all is listed and none of their files is open, or their time is over.

        Each is given to one caller for 15 seconds, when it is not answered then to another for longer.
        """

    async def request_to_answer(self, request_id: str) -> FinishedRequest | None:
        """How it stands; None when it has ended, or is not at its end any more."""

    async def give_up_removed(self, source_ids: Collection[str], after: timedelta) -> int:
        """Give up what was accepted `after` ago and asks for sources that are none of these; says how many."""

    async def end_request(self, end: RequestEnd) -> bool:
        """End it, and put the event into the outbox; False when it was ended. What it asked for and waits is given up.

        For a request that finished there is no such file.
        """
