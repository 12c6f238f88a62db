"""`request` and `request_file`, as `adapters.postgres.requests` keeps them."""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta

from router.errors import Transient
from router.ports.requests import (
    AskedRequest,
    CancelToResolve,
    Found,
    FoundFile,
    LoadToResolve,
    RetryToResolve,
    ToResolve,
)
from router.rules.answers import FinishedRequest, RequestEnd
from router.rules.identity import Identity, object_key
from router.rules.looking import SECOND_LOOK, TWICE
from router.rules.outgoing import OutgoingEvent
from schemas.completions import RequestCounts, RequestedFile
from schemas.config.lanes import Lane
from schemas.events.requests import CancelAsked, LoadAsked, PreviewAsked, RetryAsked
from tests.fakes.database import FakeDatabase, FileRow, RequestFileRow, RequestRow

_LONGEST_PAUSE = timedelta(minutes=10)
_TO_RETRY = {"failed", "quarantined", "missing"}


class FakeRequests:
    """See `ports.requests.RequestLedger`."""

    def __init__(self, database: FakeDatabase) -> None:
        self._database = database

    async def record_requests(self, requests: Sequence[AskedRequest], letters: Sequence[OutgoingEvent]) -> int:
        now = self._database.begin()
        new = sum(self._record(asked, now) for asked in sorted(requests, key=lambda asked: asked.request.id))
        for letter in letters:
            self._database.put(letter)
        return new

    async def request_to_resolve(self, files: int) -> ToResolve | None:
        now = self._database.begin()
        due = [
            (row.due, request_id)
            for request_id, row in self._database.requests.items()
            if row.end is None and row.listed is None and row.due <= now
        ]
        if not due:
            return None
        _, request_id = min(due)
        row = self._database.requests[request_id]
        row.due, row.tries = now + timedelta(minutes=1), row.tries + 1
        try:
            self._look_at(request_id)
        except Transient as trouble:
            await self.put_off(request_id, str(trouble), row.cursor)
            raise
        return self._to_resolve(request_id, row, files)

    async def save_found(self, found: Found, *, reload: bool) -> int:
        now = self._database.begin()
        row = self._database.requests[found.request_id]
        if row.end is not None or row.listed is not None:
            return 0
        new = [file for file in found.files if self._take_up(found.request_id, file)]
        opened = 0
        if row.request.kind == "load":
            opened = sum(self._open(found.request_id, file, now, reload=reload) for file in new)
        once_more = [uri for uri in found.missing if self._miss(found.request_id, row.source_id or "", uri)]
        for uri, reason in found.refused.items():
            asked = self._database.request_files[found.request_id, row.source_id or "", object_key(uri)]
            if asked.version is None and asked.outcome is None:
                asked.outcome, asked.reason = "failed", reason
        row.cursor, row.due, row.trouble = found.cursor, now, found.trouble
        row.tries = row.tries if found.trouble else 0
        row.listed = now if found.is_all and not once_more else None
        if once_more and found.cursor is None:
            row.due = now + SECOND_LOOK
        return opened

    async def retry_files(self, retry: RetryToResolve, pinned: Sequence[str]) -> int:
        now = self._database.begin()
        row = self._database.requests[retry.id]
        if row.end is not None or row.listed is not None:
            return 0
        again = [
            (key, file)
            for key, file in self._targets(row, kind="retry")
            if file.outcome in _TO_RETRY and key.version != "" and key.source_id in retry.source_ids
        ]
        for key, file in again:
            lane: Lane = "priority" if file.lane == "default" and key.source_id not in pinned else file.lane
            _begin_anew(file, now, lane, retry.id)
        self._are_all(retry.id, again, now)
        return len(again)

    async def cancel_files(self, cancel: CancelToResolve, reason: str) -> int:
        now = self._database.begin()
        row = self._database.requests[cancel.id]
        asked = row.request.asked
        if row.end is not None or row.listed is not None or not isinstance(asked, CancelAsked):
            return 0
        targets = [found for found in self._targets(row, kind="cancel") if found[0].source_id in cancel.source_ids]
        waiting = [file for _, file in targets if file.waits]
        for file in waiting:
            file.outcome, file.reason = "failed", reason
        looks = self._cancel_looks(asked, cancel.source_ids, reason, now)
        for batch in self._database.family(asked.batch):
            row_of = self._database.open_batch(batch)
            if row_of is not None and (row_of.closing is None or row_of.splitting) and row_of.request_id is None:
                row_of.closing, row_of.splitting, row_of.due = reason, False, now
        other = self._database.requests.get(asked.request or "")
        if other is not None and other.end is None:
            other.given_up = reason
        self._are_all(cancel.id, [*targets, *looks], now)
        return len(waiting) + len(looks)

    async def put_off(self, request_id: str, trouble: str, cursor: str | None) -> None:
        now = self._database.begin()
        row = self._database.requests[request_id]
        row.trouble, row.cursor = trouble, cursor
        row.due = now + min(timedelta(seconds=2 ** min(row.tries, 16)), _LONGEST_PAUSE)

    async def requests_at_end(self, limit: int) -> Sequence[str]:
        now = self._database.begin()
        found = [
            (request_id, row)
            for request_id, row in self._database.requests.items()
            if row.end is None and (row.answer_due or now) <= now and self._database.is_over(request_id)
        ]
        for _, row in found[:limit]:
            row.answer_due = now + min(timedelta(seconds=15 * 2 ** min(row.answer_tries, 16)), _LONGEST_PAUSE)
            row.answer_tries += 1
        return [request_id for request_id, _ in found[:limit]]

    async def request_to_answer(self, request_id: str) -> FinishedRequest | None:
        now, row = self._database.begin(), self._database.requests[request_id]
        self._look_at(request_id)
        is_over = row.end is None and self._database.is_over(request_id)
        return self._finished(request_id, row, now) if is_over else None

    async def give_up_removed(self, source_ids: Collection[str], after: timedelta) -> int:
        now = self._database.begin()
        removed = [
            (request_id, row)
            for request_id, row in self._database.requests.items()
            if row.end is None
            and row.given_up is None
            and row.accepted <= now - after
            and self._is_removed(request_id, row, source_ids)
        ]
        for _, row in removed:
            what = row.source_id or "what is left of it"
            row.given_up = f"unknown-source: {what} is not in the configuration any more"
        return len(removed)

    def _is_removed(self, request_id: str, row: RequestRow, source_ids: Collection[str]) -> bool:
        if row.source_id is not None:
            return row.source_id not in source_ids
        left = [
            source_id
            for (of, source_id, key), asked in self._database.request_files.items()
            if of == request_id
            and (file := self._database.files.get(Identity(source_id, key, asked.version or "")))
            and file.outcome is None
        ]
        is_retry = row.request.kind == "retry" and row.listed is not None
        return is_retry and left != [] and all(source_id not in source_ids for source_id in left)

    async def end_request(self, end: RequestEnd) -> bool:
        self._database.begin()
        return self._database.end_request(end)

    def _look_at(self, request_id: str) -> None:
        if request_id in self._database.poison:
            raise Transient(f"PostgreSQL: {request_id} takes too long")

    def _record(self, asked: AskedRequest, now: datetime) -> bool:
        request, known = asked.request, self._database.requests.get(asked.request.id)
        if known is not None:
            if known.request.producer != request.producer:
                self._database.put(asked.taken)
            elif known.end is not None:
                self._database.put(known.end.event)
            return False
        row = RequestRow(request, asked.source_id, now, now)
        self._database.requests[request.id] = row
        if asked.refusal is not None:
            self._database.end_request(asked.refusal)
            return True
        match request.asked:
            case LoadAsked():
                row.deadline, uris = request.asked.deadline, list(request.asked.files)
            case PreviewAsked():
                uris = [request.asked.file]
            case _:
                uris = []
        for uri in uris:
            key = (request.id, asked.source_id or "", object_key(uri))
            self._database.request_files.setdefault(key, RequestFileRow(uri))
        return True

    def _to_resolve(self, request_id: str, row: RequestRow, limit: int) -> ToResolve:
        asked, producer = row.request.asked, row.request.producer
        match asked:
            case RetryAsked():
                return RetryToResolve(request_id, producer, frozenset(self._source_ids(row)))
            case CancelAsked():
                return CancelToResolve(request_id, producer, frozenset(self._source_ids(row)))
        named = sorted(
            file.uri
            for file, _ in self._database.files_asked(request_id)
            if file.version is None and not file.outcome and file.uri > (row.cursor or "")
        )
        return LoadToResolve(
            id=request_id,
            kind="load" if isinstance(asked, LoadAsked) else "preview",
            producer=producer,
            source_id=row.source_id or "",
            reload=isinstance(asked, LoadAsked) and asked.if_loaded == "reload",
            files=named[:limit],
            prefix=asked.prefix if isinstance(asked, LoadAsked) else None,
            cursor=row.cursor,
        )

    def _source_ids(self, row: RequestRow) -> set[str]:
        found = {key.source_id for key, _ in self._targets(row, kind=row.request.kind)}
        if isinstance(row.request.asked, RetryAsked | CancelAsked):
            batch = self._database.batches.get(row.request.asked.batch or "")
            other = self._database.requests.get(row.request.asked.request or "")
            found |= {batch.manifest.source_id} if batch is not None else set()
            found |= {other.source_id} if other is not None and other.source_id else set()
        if isinstance(row.request.asked, CancelAsked):
            objects = {object_key(uri) for uri in row.request.asked.files}
            found |= {key.source_id for key in self._database.arrivals if key.object in objects}
        return found

    def _targets(self, row: RequestRow, *, kind: str) -> Iterator[tuple[Identity, FileRow]]:
        asked = row.request.asked
        if not isinstance(asked, RetryAsked | CancelAsked):
            return
        objects, batches = {object_key(uri) for uri in asked.files}, self._database.family(asked.batch)
        of_request = {
            Identity(source_id, key, file.version)
            for (of, source_id, key), file in self._database.request_files.items()
            if of == asked.request and file.version is not None
        }
        for key, file in self._database.files.items():
            opened_by_request = asked.request is not None and file.request_id == asked.request and file.outcome is None
            if (
                file.batch_id in batches
                or (key in of_request if kind == "retry" else opened_by_request)
                or (key.object in objects and self._is_newest(key, file))
            ):
                yield key, file

    def _cancel_looks(
        self, asked: CancelAsked, source_ids: frozenset[str], reason: str, now: datetime
    ) -> list[tuple[Identity, FileRow]]:
        objects = {object_key(uri) for uri in asked.files}
        rows = self._database.arrivals
        keys = [
            key for key in rows if key.object in objects and key.source_id in source_ids and not rows[key].look.quiet
        ]
        for key in keys:
            self._database.insert_ended(rows.pop(key).look, "failed", reason, now)
        return [(key, self._database.files[key]) for key in keys]

    def _is_newest(self, key: Identity, file: FileRow) -> bool:
        return all(
            other.landed <= file.landed
            for known, other in self._database.files.items()
            if (known.source_id, known.object) == (key.source_id, key.object)
        )

    def _miss(self, request_id: str, source_id: str, uri: str) -> bool:
        """Whether it is to be looked for once more."""
        row = self._database.request_files[request_id, source_id, object_key(uri)]
        if row.version is not None or row.outcome is not None:
            return False
        row.misses += 1
        if row.misses == 1:
            return True
        row.outcome, row.reason = "missing", TWICE
        return False

    def _take_up(self, request_id: str, file: FoundFile) -> bool:
        key = (request_id, file.identity.source_id, file.identity.object)
        row = self._database.request_files.setdefault(key, RequestFileRow(file.uri))
        if row.version is not None or row.outcome is not None:
            return False
        row.version, row.size = file.identity.version, file.size
        return True

    def _open(self, request_id: str, file: FoundFile, now: datetime, *, reload: bool) -> bool:
        row = self._database.files.get(file.identity)
        if row is None:
            row = FileRow(file.uri, file.size, now, now, estimate=file.place.estimate, lane=file.place.lane)
            row.rank, row.request_id = 0, request_id
            self._database.files[file.identity] = row
            return True
        if row.waits:
            row.lane, row.rank, row.size, row.estimate = file.place.lane, 0, file.size, file.place.estimate
            return True
        if row.outcome == "loaded" and not reload:
            key = (request_id, file.identity.source_id, file.identity.object)
            self._database.request_files[key].outcome = "already-loaded"
        if row.outcome is None or (row.outcome == "loaded" and not reload):
            return False
        row.size, row.estimate = file.size, file.place.estimate
        _begin_anew(row, now, file.place.lane, request_id)
        return True

    def _are_all(self, request_id: str, files: Sequence[tuple[Identity, FileRow]], now: datetime) -> None:
        for key, file in files:
            self._database.request_files.setdefault(
                (request_id, key.source_id, key.object), RequestFileRow(file.uri, key.version)
            )
        self._database.requests[request_id].listed = now

    def _finished(self, request_id: str, row: RequestRow, now: datetime) -> FinishedRequest:
        asked = self._database.files_asked(request_id)
        given_up = [
            file
            for key, file in self._database.files.items()
            if file.request_id == request_id and file.waits and self._database.heir(key, request_id) is None
        ]
        files = sorted(
            (_requested(one, file, is_given_up=any(file is other for other in given_up)) for one, file in asked),
            key=lambda file: (file.outcome == "loaded", file.uri),
        )
        loaded = sum(file.outcome == "loaded" for file in files)
        already = sum(file.outcome == "already-loaded" for file in files)
        return FinishedRequest(
            id=request_id,
            kind=row.request.kind,
            producer=row.request.producer,
            source_id=row.source_id,
            accepted=row.accepted,
            counts=RequestCounts(
                files=len(files),
                files_loaded=loaded,
                files_already_loaded=already,
                files_not_loaded=len(files) - loaded - already,
                rows=sum(file.rows for file in files),
            ),
            files=files[:101],
            expired=row.deadline is not None and row.deadline <= now and self._database.has_open_files(request_id),
            given_up=row.given_up,
        )


def _begin_anew(file: FileRow, now: datetime, lane: Lane, request_id: str) -> None:
    file.round, file.accepted = file.round + 1, now
    file.lane, file.rank, file.request_id = lane, 0, request_id
    file.batch_id = file.outcome = file.rows = file.reason = None


def _requested(one: RequestFileRow, file: FileRow | None, *, is_given_up: bool) -> RequestedFile:
    if one.outcome is not None or file is None:
        outcome: str = one.outcome or "waiting"
    elif file.outcome is not None:
        outcome = file.outcome
    else:
        outcome = "in-flight" if file.batch_id is not None else "failed" if is_given_up else "waiting"
    return RequestedFile.model_validate(
        {
            "uri": one.uri,
            "version": one.version,
            "outcome": outcome,
            "rows": (file.rows or 0) if file is not None and outcome == "loaded" else 0,
            "reason": one.reason or (None if file is None else file.reason),
            "batch": None if file is None else file.batch_id,
        }
    )
