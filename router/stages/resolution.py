"""Storage → ledger: which files a request asks for. Those it names are measured, those below its prefix listed."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from router.errors import Rejected, Transient
from router.facts import ListingFailed, RequestEnded, RequestListed
from router.ports.discovery import Store
from router.ports.requests import Found, FoundFile, RequestLedger, Unlisted
from router.rules.answers import FinishedRequest, refused
from router.rules.belonging import Belonging
from router.rules.identity import Identity, object_key
from router.rules.permissions import Permissions
from router.rules.sizing import Sizing
from router.step import Pass, Step
from storage.objects import Listed, Measured

FILES_A_STEP = 1000
REQUESTS_AT_ONCE = 32


class ResolutionStage:
    """One part of one request a step; what the storage does not answer is due again later."""

    name = "listing"

    def __init__(
        self, store: Store, ledger: RequestLedger, permissions: Permissions, belonging: Belonging, sizing: Sizing
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._permissions = permissions
        self._belonging = belonging
        self._sizing = sizing
        self._places = asyncio.Semaphore(REQUESTS_AT_ONCE)

    async def step(self, now: datetime) -> Step:
        """Find the next files of a request."""
        unlisted = await self._ledger.request_to_resolve(FILES_A_STEP)
        if unlisted is None:
            return Step()
        try:
            files = await self._carry_out(unlisted)
        except Transient as trouble:
            cursor = unlisted.cursor if unlisted.prefix is not None else None
            await self._ledger.put_off(unlisted.id, str(trouble), cursor)
            return Step((ListingFailed(unlisted.id, str(trouble)),))
        except Rejected as rejected:
            finished = FinishedRequest(unlisted.id, unlisted.kind, unlisted.producer, None, now)
            end = refused(finished, rejected, now=now)
            await self._ledger.end_request(end)
            return Step((RequestEnded(end.id, unlisted.kind, end.outcome, end.reason),), more=True)
        return Step((RequestListed(files, unlisted.id, unlisted.kind),), more=True)

    async def _carry_out(self, unlisted: Unlisted) -> int:
        match unlisted.kind:
            case "load" | "preview":
                if unlisted.source_id not in self._permissions.source_ids:
                    raise Transient(f"{unlisted.source_id} is not in the configuration of the router that looked")
                found = await (self._measured(unlisted) if unlisted.prefix is None else self._listed(unlisted))
                return await self._ledger.save_found(found, reload=unlisted.reload)
            case "retry":
                self._check(unlisted)
                unlisted = replace(unlisted, source_ids=self._permissions.configured(unlisted.source_ids))
                return await self._ledger.retry_files(unlisted, self._permissions.pinned)
            case "cancel":
                self._check(unlisted)
                return await self._ledger.cancel_files(unlisted, f"cancelled by request {unlisted.id}")

    def _check(self, unlisted: Unlisted) -> None:
        if not unlisted.source_ids:
            raise Rejected("unknown-target", "nothing is known of what it names: no such file, batch or request")
        for source_id in unlisted.source_ids:
            self._permissions.check_producer(unlisted.producer, source_id)

    async def _measured(self, unlisted: Unlisted) -> Found:
        """The next of those it names. Who comes to the last begins again with those the storage did not tell of.

        Raises:
            Transient: of all that is left it told nothing.
        """
        answers = await self._answers(unlisted)
        troubles = [answer for answer in answers.values() if isinstance(answer, Transient)]
        is_last = len(answers) == len(unlisted.files) < FILES_A_STEP
        is_stuck = len(troubles) == len(answers)
        if is_last and is_stuck and (troubles or unlisted.cursor is not None):
            raise troubles[0] if troubles else Transient("what the storage did not tell of is asked for again")
        return Found(
            unlisted.id,
            [self._found(unlisted, uri, found) for uri, found in answers.items() if isinstance(found, Measured)],
            [uri for uri, found in answers.items() if found is None],
            {uri: found for uri, found in answers.items() if isinstance(found, str)},
            cursor=None if is_last else max(answers),
            is_all=is_last and not troubles and unlisted.cursor is None,
            trouble=str(troubles[0]) if is_stuck and troubles else None,
        )

    async def _listed(self, unlisted: Unlisted) -> Found:
        page = await self._store.listed(unlisted.prefix or "", unlisted.cursor, FILES_A_STEP)
        return Found(
            unlisted.id,
            [self._found(unlisted, one.uri, one.measured) for one in self._taken(unlisted, page)],
            cursor=page[-1].uri if page else unlisted.cursor,
            is_all=len(page) < FILES_A_STEP,
        )

    def _taken(self, unlisted: Unlisted, page: Sequence[Listed]) -> Sequence[Listed]:
        return [one for one in page if self._permissions.takes(one.uri, unlisted.source_id or "")]

    async def _answers(self, unlisted: Unlisted) -> Mapping[str, Measured | Transient | str | None]:
        """Of the first it names, as far as there is time. Of what its source takes no more it says why."""
        work, answers = Pass(), dict[str, Measured | Transient | str | None]()

        async def measure(uri: str) -> None:
            if refusal := self._belonging.refusal(unlisted.source_id or "", uri):
                answers[uri] = refusal
                return
            async with self._places:
                if answers and not work.has_time():
                    return
                try:
                    answers[uri] = await self._store.measure(uri)
                except Transient as trouble:
                    answers[uri] = trouble

        await asyncio.gather(*(measure(uri) for uri in unlisted.files))
        return answers

    def _found(self, unlisted: Unlisted, uri: str, measured: Measured) -> FoundFile:
        source_id = unlisted.source_id or ""
        place = self._sizing.place(source_id, uri, measured.size, asked=True)
        return FoundFile(Identity(source_id, object_key(uri), measured.version), uri, measured.size, place)
