"""The flow `ingest`, failing in the way that a file's name asks for; what comes before and after is the real one.

    reject-…   it finds the data wrong
    heap-…     Java's heap is full
    pod-…      the container takes more than its limit
    slow-N-…   it stands still for N seconds before it loads

All after its batch is claimed, in its first attempt: the next one loads it, or closes it. For memory only a pod of the
first size class fails: it asks for less than 1.5 GiB.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import psycopg
from memory import is_small, take_all
from prefect import flow

from flows.ingest import run
from flows.loading.errors import Rejected

if TYPE_CHECKING:
    from collections.abc import Mapping


@flow(name="ingest", retries=0, persist_result=False)
def ingest(batch: str, attempt: int) -> None:
    """Load, or fail as the names of the batch's files say."""
    asked = _asked(batch)

    def watch(step: str) -> None:
        if step != "session" or attempt > 1:
            return
        if "reject" in asked:
            raise Rejected("boom")
        if "slow" in asked:
            time.sleep(float(asked["slow"]))
        if "pod" in asked and is_small():
            take_all()
        if "heap" in asked and is_small():
            _fill_the_heap()

    run(batch, attempt, watch)


def _asked(batch: str) -> Mapping[str, str]:
    """The first word of each file's name, with the second."""
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        rows = connection.execute("SELECT uri FROM file WHERE batch_id = %s", (batch,)).fetchall()
    names = [str(uri).rpartition("/")[2].split("-") for (uri,) in rows]
    return {first: second for first, second, *_ in names}


def _fill_the_heap() -> None:
    """Java gives up by itself, as it does over a record that is too big for it."""
    from pyspark.sql import SparkSession  # noqa: PLC0415 - seconds, which only this needs

    from flows.loading.translation import named_errors  # noqa: PLC0415 - with Spark, which only this needs

    with named_errors():
        SparkSession.builder.getOrCreate().sql("SELECT max(length(repeat('x', 2000000000)))").collect()
