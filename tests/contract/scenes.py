"""How far a test's batch has come before the test begins."""

from collections.abc import Sequence

from router.ports import BatchLedger, Submission
from schemas.config import Lane
from tests.builders import A_CSV, ORDERS, announced, intake, new_batch
from tests.contract.ledgers import Ledger

RUN = "00000000-0000-0000-0000-000000000001"
OTHER_RUN = "00000000-0000-0000-0000-000000000002"


async def schedules(ledger: Ledger, holder: str = "one") -> tuple[BatchLedger, int]:
    """A router that holds the lease for scheduling."""
    batches = ledger.router(holder).batches
    epoch = await batches.hold("scheduling")
    assert epoch is not None
    return batches, epoch


async def lands(ledger: Ledger, *uris: str, source_id: str = ORDERS) -> None:
    files = [announced(uri, source_id=source_id) for uri in uris or (A_CSV,)]
    await ledger.arrivals.record(intake(sorted(files, key=lambda file: file.identity)))


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
    batches, epoch = await schedules(ledger)
    waiting = await batches.waiting(source_id, "default", 1000)
    submission = await batches.cut(new_batch(waiting, batch, lane=lane, source_id=source_id), epoch)
    assert submission is not None
    return submission


async def is_submitted(ledger: Ledger, batch: str = "b-1", run: str = RUN) -> Submission:
    """The attempt has its run."""
    submission = await is_cut(ledger, batch=batch)
    batches, _ = await schedules(ledger)
    await batches.submitted(submission, run)
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
    submission = await batches.attempt(due, {}, epoch)
    assert submission is not None
    return submission
