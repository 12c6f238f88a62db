"""Kafka → ledger: what producers ask for. Each request is recorded once, or refused with an answer, then committed."""

import asyncio
from collections.abc import Sequence
from datetime import datetime

from router.errors import Rejected, Transient
from router.facts import Fact, RecordsDeadLettered, RequestEnded, RequestsRecorded
from router.notifications.record import Record
from router.notifications.requests import Request, request
from router.ports.intake import Source
from router.ports.requests import AskedRequest, RequestLedger
from router.rules.answers import FinishedRequest, refused
from router.rules.dead_letters import dead_letter
from router.rules.outgoing import OutgoingEvent
from router.rules.permissions import Permissions
from router.rules.portion import TURN_BYTES, WHOLE_POLLS, Portion, weight
from router.step import Step

FILES_A_REQUEST = 32  # what recording a request costs, as entries of a record


class RequestsStage:
    """One portion of a poll a step. What names no request has nobody to be answered: it is a dead letter."""

    name = "requests"

    def __init__(
        self, source: Source, ledger: RequestLedger, permissions: Permissions, *, portion: Portion = WHOLE_POLLS
    ) -> None:
        self._source = source
        self._ledger = ledger
        self._permissions = permissions
        self._portion = portion
        self._rest: Sequence[Record] = ()

    async def step(self, now: datetime) -> Step:
        """Poll, or go on with what was polled; record; commit a poll that is recorded whole."""
        records, self._rest = self._rest, ()
        records = records or await self._source.poll()
        if not records:
            return Step(more=True)
        result = await self._read(records, now)
        try:
            new = await self._ledger.record_requests(result.asked, result.letters)
        except Transient:
            self._portion = self._portion.after_trouble()
            raise
        self._rest = records[result.records :]
        if not self._rest:
            await self._source.commit()
            self._portion = self._portion.after_success()
        return Step((RequestsRecorded(len(result.asked), new), *result.facts), more=True)

    async def _read(self, records: Sequence[Record], now: datetime) -> "_PollResult":
        """Read one portion; between its turns the loop serves others."""
        result, turn = _PollResult(), TURN_BYTES
        for record in records:
            self._read_record(record, result, now)
            if result.weight >= self._portion.bytes:
                break
            if result.weight >= turn:
                turn = result.weight + TURN_BYTES
                await asyncio.sleep(0)
        return result

    def _read_record(self, record: Record, result: "_PollResult", now: datetime) -> None:
        result.records += 1
        result.weight += weight(record, FILES_A_REQUEST)
        try:
            asked = self._asked(record, request(record), now)
        except Rejected as rejected:
            result.letters.append(dead_letter(record, 0, rejected))
            result.facts.append(RecordsDeadLettered(1, rejected.reason))
            return
        result.asked.append(asked)
        if (end := asked.refusal) is not None:
            result.facts.append(RequestEnded(asked.request.id, asked.request.kind, end.outcome, end.reason))

    def _asked(self, record: Record, asked: Request, now: datetime) -> AskedRequest:
        id_taken = dead_letter(record, 0, Rejected("request-id-taken", f"another producer has used the id {asked.id}"))
        try:
            return AskedRequest(asked, id_taken, self._permissions.source_of(asked))
        except Rejected as rejected:
            finished = FinishedRequest(asked.id, asked.kind, asked.producer, None, now)
            return AskedRequest(asked, id_taken, refusal=refused(finished, rejected, now=now))


class _PollResult:
    """What one portion of a poll comes to; `records` says how many of the poll are in it."""

    def __init__(self) -> None:
        self.records = 0
        self.weight = 0
        self.asked: list[AskedRequest] = []
        self.letters: list[OutgoingEvent] = []
        self.facts: list[Fact] = []
