"""The trace of a file, from its event into the batch that ends."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from router.ports.intake import Announced, Trace
from schemas.manifest import Manifest
from tests.builders import A_CSV, ORDERS, after, announced, intake, manifest, new_batch, report, there, unmeasured
from tests.contract.ledgers import Ledger, RealLedger
from tests.contract.scenes import RUN, looks, schedules

ID, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACE, OTHER = f"00-{ID}-{SPAN}-01", f"00-{ID[::-1]}-{SPAN}-01"
B_CSV = "s3://landing/orders/b.csv"
TRACED = manifest().model_copy(update={"traces": True})


async def lands(ledger: Ledger, *files: Announced, trace: str | None = TRACE) -> None:
    """Files are told of by an event of this trace."""
    measured = sorted((one for one in files if one.size is not None), key=lambda one: one.identity)
    others = [one for one in files if one.size is None]
    traces = (
        [] if trace is None else [Trace(one.identity, trace) for one in sorted(files, key=lambda one: one.identity)]
    )
    await ledger.intake.record(replace(intake(measured, unmeasured=others), traces=traces))


async def ended(ledger: Ledger, told: Manifest = TRACED) -> Mapping[str, str]:
    """The traces of a batch of all that waits, whose run has published."""
    batches, epoch = await schedules(ledger)
    waiting = await batches.waiting(ORDERS, "default", 10)
    submission = await batches.cut(replace(new_batch(waiting), manifest=told), epoch)
    assert submission is not None
    await batches.save_run(submission, RUN)
    assert await ledger.claim("b-1", 1, RUN)
    await ledger.stage("b-1", 1, report())
    await ledger.publish("b-1", 1, report())
    batch = await ledger.settlement.batch_to_settle("b-1", 1)
    assert batch is not None
    return batch.traces


async def test_a_file_has_the_trace_of_its_event_and_another_has_none(ledger: Ledger) -> None:
    await lands(ledger, announced(A_CSV))
    await lands(ledger, announced(B_CSV), trace=None)

    assert await ended(ledger) == {A_CSV: TRACE}


async def test_of_a_version_that_is_told_twice_the_first_event_counts(ledger: Ledger) -> None:
    await lands(ledger, announced(A_CSV))
    await lands(ledger, announced(A_CSV, landed=after(1)), trace=OTHER)

    assert await ended(ledger) == {A_CSV: TRACE}


@pytest.mark.parametrize("times", [1, 2])
async def test_what_is_measured_first_keeps_the_trace_of_the_last_event(ledger: Ledger, times: int) -> None:
    for trace in [OTHER, TRACE][-times:]:
        await lands(ledger, unmeasured(A_CSV, offset=times), trace=trace)
    await looks(ledger, there("v7"))

    assert await ended(ledger) == {A_CSV: TRACE}


async def test_the_trace_of_the_version_is_before_that_of_the_object(ledger: Ledger) -> None:
    await lands(ledger, unmeasured(A_CSV), trace=OTHER)
    await lands(ledger, announced(A_CSV, "v1"))

    assert await ended(ledger) == {A_CSV: TRACE}


async def test_nothing_is_looked_up_for_a_batch_without_traces(ledger: Ledger) -> None:
    await lands(ledger, announced(A_CSV))

    assert await ended(ledger, manifest()) == {}


@pytest.mark.integration
async def test_a_run_is_told_the_traces_of_its_files_with_the_moments_of_their_way(real_ledger: RealLedger) -> None:
    await lands(real_ledger, announced(A_CSV), announced(B_CSV))
    await ended(real_ledger)

    one, other = real_ledger.traced("b-1", 1)

    assert (one.uri, one.traceparent, other.uri) == (A_CSV, TRACE, B_CSV)
    assert one.submitted is not None
    assert one.cut <= one.submitted <= one.claimed
