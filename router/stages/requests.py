"""Kafka → ledger: what producers ask for. Each request is recorded once, or refused with an answer, then committed."""

from datetime import datetime

from router.errors import Rejected
from router.notifications.record import Record
from router.notifications.requests import Request, request
from router.ports import AskedRequest, RequestLedger, Source
from router.rules.completion import OutgoingEvent, dead_letter
from router.rules.requests import FinishedRequest, Permissions, refused
from router.step import Fact, Step, request_ended


class RequestsStage:
    """One poll a step. What names no request has nobody to be answered: it is a dead letter."""

    name = "requests"

    def __init__(self, source: Source, ledger: RequestLedger, permissions: Permissions) -> None:
        self._source = source
        self._ledger = ledger
        self._permissions = permissions

    async def step(self, now: datetime) -> Step:
        """Poll, record, commit."""
        records = await self._source.poll()
        if not records:
            return Step(more=True)
        asked: list[AskedRequest] = []
        letters: list[OutgoingEvent] = []
        facts: list[Fact] = []
        for record in records:
            try:
                asked.append(self._asked(record, request(record), now))
            except Rejected as rejected:
                letters.append(dead_letter(record, 0, rejected))
                facts.append(Fact("records_dead_lettered", {"reason": rejected.reason}))
        new = await self._ledger.record_requests(asked, letters)
        await self._source.commit()
        facts += [
            request_ended(one.request.id, one.request.kind, one.refusal.outcome, one.refusal.reason)
            for one in asked
            if one.refusal is not None
        ]
        return Step((Fact("requests_recorded", {"new": new}, len(asked)), *facts), more=True)

    def _asked(self, record: Record, asked: Request, now: datetime) -> AskedRequest:
        taken = dead_letter(record, 0, Rejected("request-id-taken", f"another producer has used the id {asked.id}"))
        try:
            return AskedRequest(asked, taken, self._permissions.source_of(asked))
        except Rejected as rejected:
            finished = FinishedRequest(asked.id, asked.kind, asked.producer, None, now)
            return AskedRequest(asked, taken, refusal=refused(finished, rejected, now=now))
