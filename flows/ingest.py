"""The Prefect flow that loads one batch. Its parameters name an attempt in the ledger; all else is there.

Prefect neither retries it nor keeps its result: both are the ledger's business.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from prefect import flow, get_run_logger
from prefect.runtime import flow_run

from flows.loading.attempt import carry_out
from flows.loading.errors import NotWanted
from flows.loading.ledger import Ledger
from flows.loading.steps import unwatched
from schemas.connections import postgres_connection
from schemas.report import Closed, Preview, Report

if TYPE_CHECKING:
    from flows.loading.steps import Watch


@flow(name="ingest", retries=0, persist_result=False, log_prints=False)
def ingest(batch: str, attempt: int) -> None:
    """Load (or close) the batch as this attempt. `DATABASE_URL` names the ledger."""
    run(batch, attempt)


def run(batch: str, attempt: int, watch: Watch = unwatched) -> None:
    """The work of an attempt, within any flow run. `watch` is told after each step."""
    log = get_run_logger()
    ledger = Ledger(postgres_connection(os.environ).url)
    try:
        ended = carry_out(
            batch,
            attempt,
            str(flow_run.id),
            ledger=ledger,
            environ=os.environ,
            lives=True,
            watch=watch,
            note=log.info,
        )
    except NotWanted as error:
        log.info("not wanted any more: %s", error)
        return
    match ended:
        case Report():
            log.info(
                "published batch=%s rows=%d files=%d seconds=%s", batch, ended.rows, len(ended.files), ended.seconds
            )
        case Closed():
            log.warning("closed batch=%s cause=%s reason=%s", batch, ended.cause, ended.reason)
        case Preview():
            log.info("previewed batch=%s rows=%d refused=%s", batch, len(ended.rows), ended.refused)
        case _:
            log.info("%s batch=%s attempt=%d", ended, batch, attempt)
