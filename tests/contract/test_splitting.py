"""A batch that is split: its files go on in two halves, and who asks for the batch means them too."""

from datetime import timedelta

from router.ports.requests import CancelToResolve, RetryToResolve
from router.ports.scheduling import DueBatch
from router.rules.outgoing import OutgoingEvent
from router.rules.recovery import Again, Close
from router.rules.splitting import Half, Split
from schemas.config.topics import COMPLETIONS_TOPIC
from schemas.events.requests import CancelAsked, RetryAsked
from schemas.manifest import ManifestFile
from tests.builders import A_CSV, ORDERS, closed, completed_file, settlement
from tests.contract.ledgers import Ledger, SeenBatch, end_of_close
from tests.contract.scenes import OTHER_RUN, RUN, is_asked, is_cut, next_attempt, outgoing, schedules, to_resolve

B_CSV, C_CSV = "s3://landing/orders/b.csv", "s3://landing/orders/c.csv"
SPLITTING = Close("crash", "the run crashed (3 times)", split=True)


def halves_of(batch: str, *halves: list[str]) -> Split:
    first, second = (
        Half(f"{batch}-{which}", [ManifestFile(uri=uri, version="v1", size=10) for uri in uris])
        for which, uris in enumerate(halves, 1)
    )
    event = OutgoingEvent(COMPLETIONS_TOPIC, "lake.sales.orders", f"{batch} is split")
    return Split(batch, 2, "the run crashed (3 times)", (first, second), event)


async def is_closing(ledger: Ledger) -> None:
    """A batch of three files whose run crashed is being closed to be split."""
    await is_cut(ledger, [A_CSV, B_CSV, C_CSV])
    assert await ledger.claim("b-1", 1, RUN)
    assert await ledger.settlement.fail_attempt("b-1", 1, SPLITTING)


async def is_split(ledger: Ledger) -> None:
    await is_closing(ledger)
    await next_attempt(ledger)
    await end_of_close(ledger, "b-1", 2, OTHER_RUN)
    assert await ledger.settlement.split_batch(halves_of("b-1", [A_CSV], [B_CSV, C_CSV]))


async def begins(ledger: Ledger) -> DueBatch:
    """The first half of the source begins."""
    batches, epoch = await schedules(ledger)
    [half] = await batches.halves()
    assert await batches.begin_attempt(half, {}, epoch) is not None
    return half


async def cancels(ledger: Ledger, batch: str = "b-1") -> None:
    await is_asked(ledger, CancelAsked(batch=batch))
    await ledger.requests.cancel_files(CancelToResolve("r-1", "/tests", frozenset({ORDERS})), "enough")


async def test_an_open_attempt_tells_how_many_files_its_batch_has_and_whose_half_it_is(ledger: Ledger) -> None:
    await is_cut(ledger, [A_CSV, B_CSV])
    [whole] = await ledger.settlement.open_attempts()
    await ledger.settlement.split_batch(halves_of("b-1", [A_CSV], [B_CSV]))
    await begins(ledger)

    [half] = await ledger.settlement.open_attempts()

    assert (whole.files, whole.split_from) == (2, None)
    assert (half.batch, half.files, half.split_from) == ("b-1-1", 1, "b-1")


async def test_the_files_of_a_split_batch_are_in_flight_in_its_halves(ledger: Ledger) -> None:
    await is_split(ledger)

    files = [(file.batch_id, file.outcome) for file in await ledger.files()]
    assert files == [("b-1-1", None), ("b-1-2", None), ("b-1-2", None)]
    assert await ledger.batch("b-1") == SeenBatch(SPLITTING.reason, "split", "the run crashed (3 times)")
    assert await ledger.settlement.open_attempts() == []
    assert await outgoing(ledger) == ["b-1 is split"]


async def test_a_batch_is_split_once(ledger: Ledger) -> None:
    await is_split(ledger)

    assert not await ledger.settlement.split_batch(halves_of("b-1", [A_CSV], [B_CSV, C_CSV]))
    assert await outgoing(ledger) == ["b-1 is split"]


async def test_a_half_that_has_not_begun_does_not_keep_its_source_busy(ledger: Ledger) -> None:
    await is_split(ledger)
    batches, _ = await schedules(ledger)

    assert await batches.busy() == frozenset()
    assert await batches.due_batches("default", 10) == []


async def test_the_halves_of_a_source_begin_one_after_the_other(ledger: Ledger) -> None:
    await is_split(ledger)
    batches, _ = await schedules(ledger)

    first = await begins(ledger)
    second = await begins(ledger)

    assert (first.id, first.n, first.kind, first.estimate) == ("b-1-1", 1, "load", 10)
    assert (second.id, second.n, second.kind, second.estimate) == ("b-1-2", 1, "load", 20)
    assert await batches.halves() == []
    assert await batches.busy() == {(ORDERS, "default")}


async def test_a_half_ends_like_any_batch(ledger: Ledger) -> None:
    await is_split(ledger)
    await begins(ledger)
    assert await ledger.claim("b-1-1", 1, RUN)

    assert await ledger.settlement.settle_batch(settlement([completed_file()], "b-1-1"))

    first, *others = [(file.batch_id, file.outcome) for file in await ledger.files()]
    assert first == ("b-1-1", "loaded")
    assert others == [("b-1-2", None), ("b-1-2", None)]


async def test_the_closing_run_is_told_that_the_batch_is_split(ledger: Ledger) -> None:
    await is_closing(ledger)
    await next_attempt(ledger)
    await end_of_close(ledger, "b-1", 2, OTHER_RUN, closed(split=True))

    found = await ledger.settlement.batch_to_settle("b-1", 2)

    assert found is not None
    assert (found.report, found.given_up) == (closed(split=True), False)


async def test_a_person_who_cancels_wins_over_a_split(ledger: Ledger) -> None:
    await is_closing(ledger)
    await cancels(ledger)
    await next_attempt(ledger)
    await end_of_close(ledger, "b-1", 2, OTHER_RUN, closed(split=True))

    found = await ledger.settlement.batch_to_settle("b-1", 2)

    assert found is not None
    assert found.given_up
    assert await ledger.batch("b-1") == SeenBatch("enough", None, None)


async def test_a_crash_does_not_take_back_what_a_person_has_cancelled(ledger: Ledger) -> None:
    await is_cut(ledger, [A_CSV, B_CSV])
    assert await ledger.claim("b-1", 1, RUN)
    await cancels(ledger)

    assert await ledger.settlement.fail_attempt("b-1", 1, SPLITTING)
    await next_attempt(ledger)
    await end_of_close(ledger, "b-1", 2, OTHER_RUN, closed(split=True))

    found = await ledger.settlement.batch_to_settle("b-1", 2)
    assert found is not None
    assert found.given_up


async def test_who_cancels_a_split_batch_cancels_its_halves(ledger: Ledger) -> None:
    await is_split(ledger)
    await begins(ledger)
    await cancels(ledger)

    batches, _ = await schedules(ledger)

    assert await ledger.batch("b-1-1") == SeenBatch("enough", None, None)
    assert [(half.id, half.kind) for half in await batches.halves()] == [("b-1-2", "close")]


async def test_who_retries_a_split_batch_retries_what_failed_of_its_halves(ledger: Ledger) -> None:
    await is_split(ledger)
    await ledger.settlement.settle_batch(settlement([completed_file()], "b-1-1"))
    failed = [completed_file(uri, outcome="failed", rows=0, reason="it kills") for uri in (B_CSV, C_CSV)]
    await ledger.settlement.settle_batch(settlement(failed, "b-1-2"))
    await is_asked(ledger, RetryAsked(batch="b-1"))
    unlisted = await to_resolve(ledger, RetryToResolve)

    again = await ledger.requests.retry_files(unlisted, [])

    assert again == 2
    assert unlisted.source_ids == {ORDERS}
    assert [file.outcome for file in await ledger.files()] == ["loaded", None, None]


async def test_halves_keep_the_lane_and_the_size_of_their_batch(ledger: Ledger) -> None:
    await is_cut(ledger, [A_CSV, B_CSV])
    await ledger.settlement.fail_attempt("b-1", 1, Again("out-of-memory", "heap", timedelta(0), 2))
    await ledger.settlement.split_batch(halves_of("b-1", [A_CSV], [B_CSV]))

    half = await begins(ledger)

    assert (half.lane, half.size_class) == ("high-memory", 2)
