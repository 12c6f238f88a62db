"""A run's connection to the ledger.

A long load holds none. It is kept for a moment after each transaction: so a small load has its few with one connection,
where each new one costs PostgreSQL a process, a password and what that process knows of the tables.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from threading import Lock, Timer
from typing import TYPE_CHECKING, Any

import psycopg

from schemas.ledger.frozen import lets_go

if TYPE_CHECKING:
    from collections.abc import Iterator

    Connection = psycopg.Connection[tuple[Any, ...]]

KEPT_SECONDS = 1.0
CONNECT_SECONDS = 5
ANSWER_SECONDS = 30  # a machine that is gone acknowledges nothing


class KeptConnection:
    """The way to the ledger behind `url`, which the threads of a process may share."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._kept: Connection | None = None
        self._lock = Lock()

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A connection in a transaction. Raises psycopg.Error; then, and after any other error, it is rolled back."""
        connection = self._begun()
        try:
            yield connection
            connection.commit()
        except BaseException:
            connection.close()
            raise
        self._keep(connection)

    def _begun(self) -> Connection:
        with self._lock:
            kept, self._kept = self._kept, None
        if kept is not None:
            with suppress(psycopg.OperationalError, psycopg.InterfaceError):  # it was lost meanwhile
                return _with_transaction(kept)
        return _with_transaction(
            psycopg.connect(
                self._url,
                connect_timeout=CONNECT_SECONDS,
                tcp_user_timeout=ANSWER_SECONDS * 1000,
                prepare_threshold=None,  # a pooler may lend each transaction another connection
            )
        )

    def _keep(self, connection: Connection) -> None:
        with self._lock:
            surplus, self._kept = self._kept, connection
        if surplus is not None:
            surplus.close()
        ending = Timer(KEPT_SECONDS, self._let_go, (connection,))
        ending.daemon = True
        ending.start()

    def _let_go(self, connection: Connection) -> None:
        with self._lock:
            if self._kept is not connection:
                return
            self._kept = None
        connection.close()


def _with_transaction(connection: Connection) -> Connection:
    try:
        connection.execute(lets_go().encode())
    except BaseException:
        connection.close()
        raise
    return connection
