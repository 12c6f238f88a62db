"""A Spark session that is there before its run: opened ahead by a process that waits for one (see `worker.child`).

It is the session of one load alone, as every other is: whoever waited carries out one run and ends. Its id stands in
the ledger from the claim on, so the next claim can close it.
"""

from __future__ import annotations

import re
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from flows.loading.session import connected, is_alone, preflight
from flows.loading.translation import named_errors
from schemas.connections import spark_connect_url

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyspark.sql import SparkSession

    from schemas.config.lanes import Lane

# To generate and compile code for a few rows takes a quarter of their load; for many it pays.
_FEW_BYTES = 4 * 1024**2
_FOR_A_FEW = {"spark.sql.codegen.wholeStage": "false", "spark.sql.codegen.factoryMode": "NO_CODEGEN"}
_CATALOG = re.compile(r"spark\.sql\.catalog\.(?!spark_catalog)(\w+)")


@dataclass(frozen=True, slots=True)
class Parked:
    """A session on the Connect server at `url`, which nobody has used."""

    url: str
    session_id: UUID
    session: SparkSession

    def lives(self) -> bool:
        """Whether its server still knows it; that it was asked keeps it alive for another hour."""
        try:
            preflight(self.url)
            self.session.conf.get("spark.sql.caseSensitive")
        except Exception:  # noqa: BLE001 - restarted, timed out, gone: whatever it is, another is opened
            return False
        return True

    def touch(self) -> None:
        """Have its catalogs connected, which the first look at a table would wait for."""
        for name in self.session.conf.getAll:
            if catalog := _CATALOG.fullmatch(name):
                # What is idle PostgreSQL may have closed: the first question finds out, the second is answered.
                for _ in range(2):
                    with suppress(Exception):
                        self.session.catalog.tableExists(f"{catalog[1]}.autoloader.touched")
                        break

    def suited(self, total: int) -> SparkSession:
        """The session, made ready for so many bytes. Raises Infrastructure."""
        if total > _FEW_BYTES:
            with named_errors():
                for name in _FOR_A_FEW:
                    self.session.conf.unset(name)
        return self.session

    def close(self) -> None:
        """Give it back."""
        with suppress(Exception):  # it is gone already, or its server is
            self.session.stop()


PARKED: ContextVar[Parked | None] = ContextVar("PARKED", default=None)


def url_of(lane: Lane, environ: Mapping[str, str]) -> str | None:
    """Where a session can be opened ahead; None where each run has a Spark of its own. Raises like `is_alone`."""
    url = spark_connect_url(environ)
    return None if url is None or is_alone(lane, environ) else url


def park(url: str) -> Parked:
    """Open one, ready for a few bytes. Raises Infrastructure."""
    session_id = uuid4()
    parked = Parked(url, session_id, connected(url, session_id))
    with named_errors():
        for name, value in _FOR_A_FEW.items():
            parked.session.conf.set(name, value)
    parked.touch()
    return parked


def ready(environ: Mapping[str, str]) -> Parked | None:
    """The session that waits in this process, if it is fit for a run in this environment."""
    parked = PARKED.get()
    return parked if parked is not None and parked.url == spark_connect_url(environ) and parked.lives() else None
