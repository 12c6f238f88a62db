"""One attempt of one batch, from the claim to the result. It knows nothing of Prefect.

    claim -> session -> load, close or look at a file -> result

Whatever happens in between, the next attempt finds either nothing of this one in the table, or all of it.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

import psycopg

from flows.loading import parked, session, traces
from flows.loading.errors import Infrastructure, NotWanted, cause_of, target_of
from flows.loading.life import Life
from flows.loading.steps import Steps, Watch, unwatched
from schemas.report import Closed, Preview, Report

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from flows.loading.ledger import Claimed, Ledger
    from schemas.report import Cause

Ended = Report | Closed | Preview | Literal["not wanted"]


def carry_out(
    batch: str,
    attempt: int,
    run_id: str,
    *,
    ledger: Ledger,
    environ: Mapping[str, str],
    lives: bool,
    watch: Watch = unwatched,
    note: traces.Note = traces.unnoted,
) -> Ended:
    """Do what this attempt is for, and write its result.

    `environ` says where Spark is (see `session.opened`). Why it failed is in the ledger before an error leaves here.
    `lives`: it says so in the ledger, and ends this process if it is not wanted any more and hangs. `note` takes lines
    for the log.

    Raises:
        Infrastructure, OutOfMemory: try again.
        NotWanted: the attempt was ended, or the batch closed, while this worked on it.
    """
    steps = Steps(watch)
    ahead = parked.ready(environ)
    claimed = ledger.claim(batch, attempt, run_id, None if ahead is None else ahead.session_id)
    if claimed is None:
        return "not wanted"
    steps.done("claim")
    life = Life(ledger, claimed)
    seconds = claimed.manifest.touch_seconds if lives else None
    with traces.told(ledger, claimed, environ, note), life.told(seconds), _telling(ledger, claimed, life):
        from flows.loading.work import work  # noqa: PLC0415 - imports Spark for seconds: see there

        total = sum(file.size for file in claimed.files)
        with (
            session.opened(claimed, environ, None if ahead is None else ahead.suited(total)) as opened,
            _telling(ledger, claimed, life),  # before it is closed: who was sent away has little time left
        ):
            steps.done("session")
            life.works_in(opened)
            return work(opened, ledger, claimed, steps)


@contextmanager
def _telling(ledger: Ledger, claimed: Claimed, life: Life) -> Iterator[None]:
    """Why it failed, told in the ledger; what is no `Exception` is a signal that sends this process away."""
    try:
        yield
    except NotWanted:
        raise
    except Exception as error:
        if not life.is_wanted:
            raise NotWanted(f"attempt {claimed.attempt} of {claimed.batch} is over: it was interrupted") from error
        _say_why(ledger, claimed, error, cause_of(error), str(error) or type(error).__name__)
        raise
    except BaseException as error:
        _say_why(ledger, claimed, error, "infrastructure", f"terminated: {type(error).__name__}")
        raise


def _say_why(ledger: Ledger, claimed: Claimed, error: BaseException, cause: Cause, reason: str) -> None:
    try:
        ledger.failed(claimed, cause, reason, target_of(error))
    except (Infrastructure, psycopg.Error):
        error.add_note("and the ledger could not be told")
