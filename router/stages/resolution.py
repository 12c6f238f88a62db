"""Storage → ledger: which files a request asks for. Those it names are measured, those below its prefix listed."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import assert_never

from router.errors import Rejected, Transient
from router.facts import ListingFailed, RequestEnded, RequestListed
from router.ports.requests import (
    CancelToResolve,
    Found,
    FoundFile,
    LoadToResolve,
    RequestLedger,
    RetryToResolve,
    ToResolve,
)
from router.ports.storage import Store
from router.rules.answers import FinishedRequest, refused
from router.rules.belonging import Belonging
from router.rules.identity import Identity, object_key
from router.rules.permissions import Permissions
from router.rules.sizing import Sizing
from router.step import Pass, Step
from storage.objects import Measured

FILES_A_STEP = 1000
STORAGE_CALLS_AT_ONCE = 32


class ResolutionStage:
    """One part of one request a step; what the storage does not answer is due again later."""

    name = "listing"  # the label of its log lines and metrics, which stay as they are

    def __init__(
        self,
        store: Store,
        ledger: RequestLedger,
        permissions: Permissions,
        belonging: Belonging,
        sizing: Sizing,
        *,
        files_a_step: int = FILES_A_STEP,
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._permissions = permissions
        self._belonging = belonging
        self._sizing = sizing
        self._files_a_step = files_a_step
        self._places = asyncio.Semaphore(STORAGE_CALLS_AT_ONCE)

    async def step(self, now: datetime) -> Step:
        """Find the next files of a request."""
        request = await self._ledger.request_to_resolve(self._files_a_step)
        if request is None:
            return Step()
        try:
            files = await self._carry_out(request)
        except Transient as trouble:
            cursor = request.cursor if isinstance(request, LoadToResolve) and request.prefix is not None else None
            await self._ledger.put_off(request.id, str(trouble), cursor)
            return Step((ListingFailed(request.id, str(trouble)),))
        except Rejected as rejected:
            finished = FinishedRequest(request.id, request.kind, request.producer, None, now)
            end = refused(finished, rejected, now=now)
            await self._ledger.end_request(end)
            return Step((RequestEnded(end.id, request.kind, end.outcome, end.reason),), more=True)
        return Step((RequestListed(files, request.id, request.kind),), more=True)

    async def _carry_out(self, request: ToResolve) -> int:
        match request:
            case LoadToResolve():
                if request.source_id not in self._permissions.source_ids:
                    raise Transient(f"{request.source_id} is not in the configuration of the router that looked")
                prefix = request.prefix
                found = await (self._measured(request) if prefix is None else self._listed(request, prefix))
                return await self._ledger.save_found(found, reload=request.reload)
            case RetryToResolve():
                self._check(request)
                request = replace(request, source_ids=self._permissions.configured(request.source_ids))
                return await self._ledger.retry_files(request, self._permissions.pinned)
            case CancelToResolve():
                self._check(request)
                return await self._ledger.cancel_files(request, f"cancelled by request {request.id}")
            case _:
                assert_never(request)

    def _check(self, request: RetryToResolve | CancelToResolve) -> None:
        if not request.source_ids:
            raise Rejected("unknown-target", "nothing is known of what it names: no such file, batch or request")
        for source_id in request.source_ids:
            self._permissions.check_producer(request.producer, source_id)

    async def _measured(self, load: LoadToResolve) -> Found:
        """The next of those it names. Who comes to the last begins again with those the storage did not tell of.

        Raises:
            Transient: of all that is left it told nothing.
        """
        answers = await self._answers(load)
        troubles = [answer for answer in answers.values() if isinstance(answer, Transient)]
        is_last = len(answers) == len(load.files) < self._files_a_step
        is_stuck = len(troubles) == len(answers)
        if is_last and is_stuck and (troubles or load.cursor is not None):
            raise troubles[0] if troubles else Transient("what the storage did not tell of is asked for again")
        return Found(
            load.id,
            [self._found(load, uri, found) for uri, found in answers.items() if isinstance(found, Measured)],
            [uri for uri, found in answers.items() if found is None],
            {uri: found for uri, found in answers.items() if isinstance(found, str)},
            cursor=None if is_last else max(answers),
            is_all=is_last and not troubles and load.cursor is None,
            trouble=str(troubles[0]) if is_stuck and troubles else None,
        )

    async def _listed(self, load: LoadToResolve, prefix: str) -> Found:
        page = await self._store.listed(prefix, load.cursor, self._files_a_step)
        return Found(
            load.id,
            [
                self._found(load, one.uri, one.measured)
                for one in page
                if self._belonging.refusal(load.source_id, one.uri) is None
            ],
            cursor=page[-1].uri if page else load.cursor,
            is_all=len(page) < self._files_a_step,
        )

    async def _answers(self, load: LoadToResolve) -> Mapping[str, Measured | Transient | str | None]:
        """Of the first it names, as far as there is time. Of what its source takes no more it says why."""
        work, answers = Pass(), dict[str, Measured | Transient | str | None]()

        async def measure(uri: str) -> None:
            if refusal := self._belonging.refusal(load.source_id, uri):
                answers[uri] = refusal
                return
            async with self._places:
                if answers and not work.has_time():
                    return
                try:
                    answers[uri] = await self._store.measure(uri)
                except Transient as trouble:
                    answers[uri] = trouble

        await asyncio.gather(*(measure(uri) for uri in load.files))
        return answers

    def _found(self, load: LoadToResolve, uri: str, measured: Measured) -> FoundFile:
        place = self._sizing.place(load.source_id, uri, measured.size, asked=True)
        return FoundFile(Identity(load.source_id, object_key(uri), measured.version), uri, measured.size, place)
