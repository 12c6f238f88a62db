"""How far a test's batch has come before the test begins."""

from collections.abc import Sequence
from typing import TypeVar

from router.ports.discovery import Looked, Measurement
from router.ports.intake import Announced
from router.ports.requests import CancelToResolve, LoadToResolve, RetryToResolve
from router.ports.runs import Submission
from router.ports.scheduling import SchedulingLedger
from router.rules.answers import FinishedRequest
from router.rules.looking import StorageAnswer, not_there
from schemas.completions import CompletedFile
from schemas.config.lanes import Lane
from schemas.events.requests import Asked, LoadAsked
from tests.builders import (
    A_CSV,
    A_LISTING,
    ORDERS,
    after,
    announced,
    asked_request,
    completed_file,
    found,
    found_file,
    intake,
    load_asked,
    new_batch,
    settlement,
)
from tests.contract.ledgers import Ledger

RUN = "00000000-0000-0000-0000-000000000001"
OTHER_RUN = "00000000-0000-0000-0000-000000000002"
T = TypeVar("T", LoadToResolve, RetryToResolve, CancelToResolve)


async def schedules(ledger: Ledger, holder: str = "one") -> tuple[SchedulingLedger, int]:
    """A router that holds the lease for scheduling."""
    batches = ledger.router(holder).scheduling
    epoch = await batches.hold("scheduling")
    assert epoch is not None
    return batches, epoch


async def lands(ledger: Ledger, *uris: str, source_id: str = ORDERS) -> None:
    files = [announced(uri, source_id=source_id) for uri in uris or (A_CSV,)]
    await ledger.intake.record(intake(sorted(files, key=lambda file: file.identity)))


async def is_cut(
    ledger: Ledger,
    uris: Sequence[str] = (A_CSV,),
    batch: str = "b-1",
    *,
    lane: Lane = "default",
    source_id: str = ORDERS,
) -> Submission:
    """Files have landed and are a batch with its first attempt."""
    await lands(ledger, *uris, source_id=source_id)
    return await takes(ledger, batch, lane=lane, source_id=source_id)


async def takes(
    ledger: Ledger, batch: str = "b-1", *, line: Lane = "default", lane: Lane | None = None, source_id: str = ORDERS
) -> Submission:
    """A batch is cut of all that waits in a line."""
    batches, epoch = await schedules(ledger)
    waiting = await batches.waiting(source_id, line, 1000)
    lane = lane or line
    submission = await batches.cut(new_batch(waiting, batch, lane=lane, source_id=source_id), epoch)
    assert submission is not None
    return submission


async def is_submitted(ledger: Ledger, batch: str = "b-1", run: str = RUN) -> Submission:
    """The attempt has its run."""
    submission = await is_cut(ledger, batch=batch)
    batches, _ = await schedules(ledger)
    await batches.save_run(submission, run)
    return submission


async def is_claimed(ledger: Ledger) -> Submission:
    """A run works on it."""
    submission = await is_submitted(ledger)
    assert await ledger.claim("b-1", 1, RUN)
    return submission


async def next_attempt(ledger: Ledger) -> Submission:
    """The batch that is due begins anew."""
    batches, epoch = await schedules(ledger)
    [due] = await batches.due_batches("default", 10)
    submission = await batches.begin_attempt(due, {}, epoch)
    assert submission is not None
    return submission


async def is_asked(ledger: Ledger, asked: Asked | None = None, request_id: str = "r-1") -> None:
    """A request is recorded, and not listed yet."""
    await ledger.requests.record_requests([asked_request(asked, request_id)], [])


async def is_found(ledger: Ledger, *uris: str, request_id: str = "r-1", reload: bool = False) -> int:
    """A request that names these files is listed, and all of them are there; says how many wait because of it."""
    uris = uris or (A_CSV,)
    await is_asked(ledger, load_asked(*uris, if_loaded="reload" if reload else "skip"), request_id)
    return await ledger.requests.save_found(found(*map(found_file, uris), request_id=request_id), reload=reload)


async def is_listed(ledger: Ledger, request_id: str = "r-1") -> None:
    """A load request that found nothing."""
    await is_asked(ledger, LoadAsked(source="orders", prefix="s3://landing/orders/none/"), request_id)
    await ledger.requests.save_found(found(request_id=request_id), reload=False)


async def at_their_end(ledger: Ledger, limit: int = 10) -> Sequence[FinishedRequest]:
    """The requests that may be answered; who asks again at once is not given them."""
    found = [await ledger.requests.request_to_answer(of) for of in await ledger.requests.requests_at_end(limit)]
    return [one for one in found if one is not None]


async def has_ended(ledger: Ledger, *files: CompletedFile, batch: str = "b-1") -> None:
    """All that waits in the line `default` is a batch that ended so; by default one file is loaded."""
    files = files or (completed_file(),)
    await is_cut(ledger, [file.uri for file in files], batch)
    assert await ledger.settlement.settle_batch(settlement(files, batch))


async def to_measure(ledger: Ledger) -> Sequence[Announced]:
    """What is given out to be looked at now, as its events told it."""
    return [
        Announced(look.identity, look.uri, None, look.landed, look.position)
        for look in await ledger.discovery.due_looks(100)
        if look.position is not None
    ]


async def looks(ledger: Ledger, *answers: StorageAnswer | None) -> Looked:
    """Looks are given out and answered, in their order; by None as the rule answers what is not there."""
    given = await ledger.discovery.due_looks(100)
    assert len(given) == len(answers), given
    return await ledger.discovery.save_answers(
        [Measurement(look, answer or not_there(look)) for look, answer in zip(given, answers, strict=True)]
    )


async def is_removed(ledger: Ledger, *uris: str) -> None:
    """A removal is told, and the storage confirms it."""
    removals = [announced(uri, "", landed=after(1)) for uri in uris or (A_CSV,)]
    await ledger.intake.record(intake(removed=sorted(removals, key=lambda removal: removal.identity)))
    await looks(ledger, *[None] * len(removals))


async def outgoing(ledger: Ledger) -> Sequence[str]:
    """What stands in the outbox."""
    return [event.value for _, event in await ledger.router("one").publication.events_to_publish(100)]


async def to_resolve(ledger: Ledger, kind: type[T]) -> T:
    """The request whose listing is due, which is of that kind."""
    request = await ledger.requests.request_to_resolve(A_LISTING)
    assert isinstance(request, kind)
    return request
