"""The Prefect flow that looks at the first rows of one file, for whoever asked. Nothing is loaded.

As with `ingest` its parameters name an attempt in the ledger; all else is there.
"""

from __future__ import annotations

from prefect import flow

from flows.ingest import run


@flow(name="preview", retries=0, persist_result=False, log_prints=False)
def preview(batch: str, attempt: int) -> None:
    """Look at the file that the batch names, as this attempt. `DATABASE_URL` names the ledger."""
    run(batch, attempt)
