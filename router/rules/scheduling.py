"""Admit first, then cut: which lines may have a batch now, and what goes into it.

A line is what waits of one source in one lane. A batch is cut only when its lane has a free slot and its line has no
other batch in flight, or one that its run has staged: while that is published, the next is prepared. A lonely file on
an idle source goes at once; while a run reads and stages, arrivals gather and are the next batch.

Of several lines the one goes that has had the least: deficit round robin (Shreedhar and Varghese, 1995), charged after
service because only then the batch is known. Each line has an account of the bytes it had, divided by its source's
weight, above the line that had the least. Ageing stands on top: who was passed over for ten minutes goes first.
"""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta

from router.rules.identity import Identity
from schemas.config.lanes import Lane

AGEING = timedelta(minutes=10)
NEWCOMER_BALANCE = -1.0  # just below the least, which is 0: served next
RUN_BYTES = 16 * 1024**2  # what a run costs by itself, as bytes: a thousand small runs are not for nothing


@dataclass(frozen=True, slots=True)
class Backlog:
    """A line that has files waiting: when its first landed and was accepted, and what is learned of its source."""

    source_id: str
    lane: Lane
    landed: datetime
    accepted: datetime
    bytes_per_second: float | None = None


@dataclass(frozen=True, slots=True)
class WaitingFile:
    """A file that waits to be loaded; `size` in bytes as it landed, `estimate` in bytes once unpacked."""

    identity: Identity
    uri: str
    size: int
    landed: datetime
    estimate: int


@dataclass(frozen=True, slots=True)
class Account:
    """What a line has had above the one with the least, and since when it is passed over."""

    had: float
    since: datetime


Accounts = Mapping[str, Account]  # of one lane, by source


def rebased(accounts: Accounts, *, waiting: AbstractSet[str], busy: AbstractSet[str], now: datetime) -> Accounts:
    """The accounts of those that wait or have a batch in flight, less what the least of them has had.

    Who comes anew, or has been idle, begins just below the least: it is served next, and nobody saves up more credit
    than that. A debt is kept while idle.
    """
    active = waiting | busy
    least = min((accounts[source_id].had for source_id in active if source_id in accounts), default=0.0)
    passed_over = waiting - busy
    kept = {
        source_id: Account(account.had - least, account.since if source_id in passed_over else now)
        for source_id, account in accounts.items()
        if source_id in active or account.had > least
    }
    return {source_id: Account(NEWCOMER_BALANCE, now) for source_id in active - kept.keys()} | kept


def in_turn(accounts: Accounts, ready: Iterable[str], *, now: datetime) -> list[str]:
    """The sources that may be served, in the order in which they are to be."""

    def place(source_id: str) -> tuple[bool, float, datetime, str]:
        account = accounts[source_id]
        aged = now - account.since > AGEING
        return (not aged, 0.0 if aged else account.had, account.since, source_id)

    return sorted(ready, key=place)


def charged(accounts: Accounts, source_id: str, *, estimated: int, weight: float, now: datetime) -> Accounts:
    """The accounts after a batch of so many estimated bytes."""
    had = accounts[source_id].had + (estimated + RUN_BYTES) / weight
    return {**accounts, source_id: Account(had, now)}


def cut(waiting: Sequence[WaitingFile], *, max_files: int, max_bytes: int) -> Sequence[WaitingFile]:
    """The first files, in their order, that fit one batch. A single bigger file is a batch alone.

    Of several versions of an object only the last to land goes: a load reads what the object is now, and no more than
    that. The others wait, to be found superseded.
    """
    files, total = _one_version_each(waiting), 0
    for count, file in enumerate(files[:max_files]):
        total += file.estimate
        if total > max_bytes:
            return files[: max(1, count)]
    return files[:max_files]


def is_due(backlog: Backlog, *, is_full: bool, min_wait: timedelta, now: datetime) -> bool:
    """Whether a batch may go: it is full, or its first file has waited long enough for company.

    Without a `min_wait` always: the ledger's clock, by which a file was accepted, may be ahead of ours.
    """
    return is_full or not min_wait or now - backlog.accepted >= min_wait


def may_commit(next_commit: datetime | None, *, interval: timedelta, burst: int, now: datetime) -> bool:
    """Whether a table may have another snapshot: a token bucket, kept as the time at which it would be full again.

    Source: the generic cell rate algorithm, ITU-T I.371.
    """
    return next_commit is None or next_commit - now <= interval * (burst - 1)


def committed(next_commit: datetime | None, *, interval: timedelta, now: datetime) -> datetime:
    """The time at which a table's bucket is full again after one more commit."""
    return max(next_commit or now, now) + interval


def _one_version_each(waiting: Sequence[WaitingFile]) -> Sequence[WaitingFile]:
    last: dict[bytes, WaitingFile] = {}
    for file in waiting:
        known = last.setdefault(file.identity.object, file)
        if known.landed < file.landed:
            last[file.identity.object] = file
    return [file for file in waiting if last[file.identity.object] is file]
