"""The flow: claim → read → stage under the fence → publish → result. Every `await` is a place to be killed at."""

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import NoReturn

from router.errors import Transient
from router.ports.storage import Store
from schemas.manifest import Glance, ManifestFile
from schemas.report import Cause, Closed, FileOutcome, FileReport, Preview, Report, Snapshot, Target
from tests.fakes.results import Claimed, FakeResults, NotWanted
from tests.fakes.table import DuplicatePublish, FakeRow, FakeTable

CORRUPT = "corrupt"  # versions that begin so cannot be read: such a file is quarantined
POISON = "poison"  # and these make the whole load fail
KILLER = "killer"  # and these end its process, without a word
LETHAL = "lethal"  # and these the Spark server that it shares with others


class Failure(Exception):
    """What ends a run as failed, with its cause."""

    def __init__(self, cause: Cause, reason: str, target: Target | None = None) -> None:
        super().__init__(reason)
        self.target = target
        self.cause: Cause = cause
        self.reason = reason


def server_lost() -> Failure:
    """What each run is told that shared a server which has ended."""
    return Failure("server-lost", "the Spark Connect server went away")


class Died(Exception):
    """The process of a run has ended, without a word."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What a run works with."""

    results: FakeResults
    table: FakeTable
    store: Store
    ends_server: Callable[[], None] = lambda: None


async def run_flow(parts: Parts, batch: str, n: int, run_id: str) -> None:
    """One flow run.

    Raises:
        Failure: the run has failed, and told the ledger why if it could.
        Died: it could not.
    """
    try:
        claimed = await parts.results.claim(batch, n, run_id)
    except Transient as trouble:
        raise Failure("infrastructure", str(trouble)) from trouble
    if claimed is None:
        return
    try:
        await _run(parts, claimed)
    except NotWanted:
        return
    except Transient as trouble:
        target: Target | None = "storage" if re.search("^storage| Store", str(trouble)) else None
        await _tell(parts, claimed, Failure("infrastructure", str(trouble), target))
    except Failure as failure:
        await _tell(parts, claimed, failure)


async def _run(parts: Parts, claimed: Claimed) -> None:
    if claimed.manifest.glance is not None:
        await _glance(parts, claimed, claimed.manifest.glance)
        return
    if await _adopted(parts, claimed):
        return
    try:
        await (_load if claimed.kind == "load" else _close)(parts, claimed)
    except DuplicatePublish:
        await _adopted(parts, claimed)


async def _load(parts: Parts, claimed: Claimed) -> None:
    """Also a batch without a file left publishes its (empty) snapshot: else a zombie's could still be published."""
    while True:
        before = await _versions(parts.store, claimed)
        if any(before[file.uri] == file.version and file.version.startswith(LETHAL) for file in claimed.files):
            _end_server(parts, claimed)
        files = [_read(file, before[file.uri]) for file in claimed.files]
        rows = [FakeRow(claimed.manifest.table, file.uri, file.version) for file in files if file.outcome == "loaded"]
        snapshot_id = await parts.table.stage(claimed.batch, tuple(rows))
        report = Report(files=tuple(files), rows=len(rows), snapshot=Snapshot(id=str(snapshot_id)))
        await parts.results.stage(claimed, snapshot_id, report)
        if await _versions(parts.store, claimed) == before:
            break
    await parts.table.publish(snapshot_id)
    await parts.results.publish(claimed, report)


async def _glance(parts: Parts, claimed: Claimed, glance: Glance) -> None:
    """Nothing is written."""
    found = await parts.store.measure(glance.file.uri)
    if found is None or found.version != glance.file.version:
        await parts.results.previewed(claimed, Preview(refused="it is not there any more, or has changed"))
    elif found.version.startswith(CORRUPT):
        await parts.results.previewed(claimed, Preview(refused="it cannot be read"))
    elif found.version.startswith(KILLER):
        raise Died
    else:
        await parts.results.previewed(claimed, Preview(rows=((glance.file.uri,),)))


async def _close(parts: Parts, claimed: Claimed) -> None:
    """Once the tombstone is published the batch can never be loaded."""
    await parts.table.publish(await parts.table.stage(claimed.batch, (), tombstone=True))
    await parts.results.closed(claimed, _closed(claimed))


async def _adopted(parts: Parts, claimed: Claimed) -> bool:
    """Report what is published under the batch's id already, whoever published it; False when nothing is."""
    found = await parts.table.history(claimed.batch)
    if found is None:
        return False
    if found.tombstone:
        await parts.results.closed(claimed, _closed(claimed))
        return True
    report = await parts.results.report_of(claimed.batch, found.id)
    assert report is not None, f"{claimed.batch}: published without having passed the fence"
    await parts.results.publish(claimed, report)
    return True


async def _versions(store: Store, claimed: Claimed) -> dict[str, str | None]:
    """What lies in the storage now, by URI; None when nothing does."""
    found = {file.uri: await store.measure(file.uri) for file in claimed.files}
    return {uri: None if measured is None else measured.version for uri, measured in found.items()}


def _end_server(parts: Parts, claimed: Claimed) -> NoReturn:
    if claimed.lane == "high-memory":
        raise Died
    parts.ends_server()
    raise server_lost()


def _read(file: ManifestFile, found: str | None) -> FileReport:
    if found == file.version and found.startswith(POISON):
        raise Failure("wrong-data", f"{file.uri} holds a value that fits no column")
    if found == file.version and found.startswith(KILLER):
        raise Died
    if found == file.version:
        outcome: FileOutcome = "quarantined" if found.startswith(CORRUPT) else "loaded"
    else:
        outcome = "missing" if found is None else "superseded"
    reason = None if outcome == "loaded" else f"the storage has {found}"
    return FileReport(uri=file.uri, version=file.version, outcome=outcome, rows=int(outcome == "loaded"), reason=reason)


def _closed(claimed: Claimed) -> Closed:
    return Closed(cause="crash", reason=claimed.closing or "it was closed before", split=claimed.splitting)


async def _tell(parts: Parts, claimed: Claimed, failure: Failure) -> NoReturn:
    with suppress(Transient):
        await parts.results.failed(claimed, failure.cause, failure.reason, failure.target)
    raise failure
