"""What an attempt does within its Spark session: load, close, or look at a file.

It imports pyspark, which takes seconds, so it is imported after the claim: who is not wanted need not wait for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from flows.loading.closing import Ending
from flows.loading.glancing import previewed
from flows.loading.load import load
from schemas.report import Closed, Preview, Report

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from flows.loading.ledger import Claimed, Ledger
    from flows.loading.steps import Steps


def work(opened: SparkSession, ledger: Ledger, claimed: Claimed, steps: Steps) -> Report | Closed | Preview:
    """Do what the attempt is for, and write its result into the ledger."""
    match claimed.kind:
        case "load":
            return load(Ending(opened, ledger, claimed), steps)
        case "close":
            reason = claimed.closing or "its attempts crashed"
            closed = Closed(cause="crash", reason=reason, split=claimed.splitting)
            return Ending(opened, ledger, claimed).close(closed)
        case "preview":
            preview = previewed(opened, claimed.manifest, steps)
            ledger.previewed(claimed, preview)
            steps.done("result")
            return preview
        case _:
            assert_never(claimed.kind)
