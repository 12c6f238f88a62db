"""A ledger, a lake and a landing folder for the tests of the flow, without router and Prefect."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
from psycopg.types.json import Jsonb
from pyspark.sql import SparkSession

from flows.loading.attempt import Ended, carry_out
from flows.loading.ledger import Ledger
from flows.loading.reading import probe
from flows.loading.steps import Watch, unwatched
from schemas.config.lanes import Lane
from schemas.manifest import AttemptKind, Manifest
from schemas.report import FileReport, Preview, Report
from storage import s3 as storage

CSV: Mapping[str, Any] = {"csv": {}}
JSON: Mapping[str, Any] = {"json": {}}
PARQUET: Mapping[str, Any] = {"parquet": {}}
PATIENCE_SECONDS = 180
PROJECT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Lake:
    """The stack's settings, a folder to land files in, a session to look into tables.

    New tables are in this `catalog`; files in buckets are opened with these `credentials`.
    """

    settings: Mapping[str, str]
    folder: Path
    session: SparkSession
    catalog: str = "lake"
    credentials: str | None = None

    @property
    def ledger(self) -> Ledger:
        return Ledger(self.settings["DATABASE_URL"])

    def _connection(self) -> psycopg.Connection[tuple[Any, ...]]:
        return psycopg.connect(self.settings["DATABASE_URL"])

    def land(self, name: str, content: str | bytes) -> Path:
        path = self.folder / uuid4().hex / name
        path.parent.mkdir(parents=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def batch(
        self,
        table: str,
        files: Sequence[Path | str],
        format_: Mapping[str, Any] = CSV,
        *,
        hints: Mapping[str, str] | None = None,
        schema: Mapping[str, Any] | None = None,
        bad_rows: Mapping[str, Any] | None = None,
        partition: Sequence[str] = (),
        lane: Lane = "default",
    ) -> str:
        """A batch of these files as they are now, with a first attempt to load it."""
        columns = {"hints": hints or {}, **(schema or {})}
        more = {"columns": columns, "partition": partition, "credentials": self.credentials, "bad_rows": bad_rows or {}}
        batch = self._batch(table, format_, more)
        with self._connection() as connection:
            for file in files:
                connection.execute(
                    "INSERT INTO file (source_id, object, version, uri, size, landed, batch_id)"
                    " VALUES (%s, %s, %s, %s, %s, now(), %s)",
                    (
                        batch,
                        _key(file),
                        _version(file, self.credentials),
                        uri(file),
                        _size(file, self.credentials),
                        batch,
                    ),
                )
        self.attempt(batch, 1, lane=lane)
        return batch

    def preview(
        self,
        file: Path,
        format_: Mapping[str, Any] = CSV,
        *,
        rows: int = 20,
        hints: Mapping[str, str] | None = None,
        table: str = "lake.flows.nowhere",
    ) -> str:
        """A preview of this file as it is now, with a first attempt."""
        asked = {"uri": uri(file), "version": _version(file), "size": file.stat().st_size}
        more = {"columns": {"hints": hints or {}}, "glance": {"file": asked, "rows": rows}}
        batch = self._batch(table, format_, more, kind="preview")
        self.attempt(batch, 1, "preview", lane="priority")
        return batch

    def _batch(self, table: str, format_: Mapping[str, Any], more: Mapping[str, Any], kind: str = "load") -> str:
        batch = f"b-{uuid4().hex[:12]}"
        manifest = Manifest.model_validate(
            {"source_id": "orders-v1", "source_name": "orders", "table": table, "format": format_, **more}
        )
        self.execute(
            "INSERT INTO batch (id, kind, source_id, lane, files, bytes, landed, manifest)"
            " VALUES (%s, %s, 'orders-v1', 'default', 1, 0, now(), %s)",
            (batch, kind, Jsonb(manifest.model_dump(mode="json", by_alias=True, exclude_none=True))),
        )
        return batch

    def attempt(self, batch: str, n: int, kind: AttemptKind = "load", *, lane: Lane = "default") -> None:
        """The router's: one more attempt, the one before being over."""
        self.execute(
            "UPDATE attempt SET ended = now(), outcome = 'failed' WHERE batch_id = %s AND ended IS NULL", (batch,)
        )
        self.execute(
            "INSERT INTO attempt (batch_id, n, kind, lane, epoch) VALUES (%s, %s, %s, %s, 1)", (batch, n, kind, lane)
        )

    def load(self, batch: str, n: int = 1, *, run_id: str | None = None, watch: Watch = unwatched) -> Ended:
        run = run_id or str(uuid4())
        return carry_out(batch, n, run, ledger=self.ledger, environ=self.settings, lives=False, watch=watch)

    def published(self, batch: str, n: int = 1, *, watch: Watch = unwatched) -> Report:
        ended = self.load(batch, n, watch=watch)
        assert isinstance(ended, Report), ended
        return ended

    def previewed(self, batch: str, n: int = 1, *, watch: Watch = unwatched) -> Preview:
        ended = self.load(batch, n, watch=watch)
        assert isinstance(ended, Preview), ended
        return ended

    def execute(self, statement: str, values: Sequence[object] = ()) -> None:
        with self._connection() as connection:
            connection.execute(statement.encode(), values)

    def connections(self, database: str) -> set[int]:
        """Those to this database of the same server, by the process that serves each."""
        with self._connection() as connection:
            found = connection.execute("SELECT pid FROM pg_stat_activity WHERE datname = %s", (database,)).fetchall()
        return {pid for (pid,) in found}

    def result(self, batch: str, n: int) -> tuple[str, dict[str, Any]] | None:
        with self._connection() as connection:
            found = connection.execute(
                "SELECT state, report FROM result WHERE batch_id = %s AND n = %s", (batch, n)
            ).fetchone()
        return None if found is None else (found[0], found[1])

    def attempt_of(self, batch: str, n: int) -> tuple[str | None, str | None]:
        """Cause and reason in the run's own words."""
        cause, reason = self._row("SELECT cause, reason FROM attempt WHERE batch_id = %s AND n = %s", batch, n)
        return cause, reason

    def session_of(self, batch: str, n: int) -> UUID | None:
        """The Spark session that its claim has told."""
        row = self._row("SELECT session_id FROM attempt WHERE batch_id = %s AND n = %s", batch, n)
        session_id: UUID | None = row[0]
        return session_id

    def touched(self, batch: str, n: int) -> datetime:
        """When its run was last heard of."""
        at: datetime = self._row("SELECT touched FROM attempt WHERE batch_id = %s AND n = %s", batch, n)[0]
        return at

    def _row(self, statement: str, *values: object) -> tuple[Any, ...]:
        with self._connection() as connection:
            found = connection.execute(statement.encode(), values).fetchone()
        assert found is not None
        return found

    def landed(self, batch: str) -> datetime:
        """When the last of its files did."""
        at: datetime = self._row("SELECT max(landed) FROM file WHERE batch_id = %s", batch)[0]
        return at

    def rows(self, table: str, *columns: str, by: str | None = None) -> list[tuple[Any, ...]]:
        """These columns (SQL expressions) of all rows, in the order of one of them."""
        frame = self.session.table(table)
        return [tuple(row) for row in (frame.orderBy(by) if by else frame).selectExpr(*columns).collect()]

    def count(self, table: str, batch: str) -> int:
        return self.session.table(table).where(f"_batch_id = '{batch}'").count()

    def process(
        self, batch: str, n: int, step: str, environ: Mapping[str, str] | None = None, *, lives: bool = False
    ) -> "PausedLoad":
        """The same load in a process of its own, which waits after a step."""
        begun = self.begun(batch, n, step, environ, lives=lives)
        begun.wait_until_paused()
        return begun

    def begun(
        self, batch: str, n: int, step: str = "never", environ: Mapping[str, str] | None = None, *, lives: bool = False
    ) -> "PausedLoad":
        """The same, not waited for."""
        ours = {name: value for name, value in os.environ.items() if not name.startswith("SPARK_")}
        return PausedLoad.begun({**ours, **(environ or self.settings)}, batch, n, step, self.folder, lives)


@dataclass(frozen=True)
class PausedLoad:
    """A process that stands still after a step, until it is killed or told to go on."""

    process: subprocess.Popen[bytes]
    step: str
    paused: Path

    @classmethod
    def begun(
        cls, environ: Mapping[str, str], batch: str, n: int, step: str, folder: Path, lives: bool
    ) -> "PausedLoad":
        paused = folder / f"paused-{uuid4().hex}"
        command = [sys.executable, "-m", "tests.integration.flow_process", batch, str(n), step, str(paused)]
        command += ["lives"] if lives else []
        return cls(subprocess.Popen(command, env=dict(environ), cwd=PROJECT), step, paused)

    def wait_until_paused(self) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not self.paused.exists():
            assert self.process.poll() is None, f"it ended before {self.step}"
            assert time.monotonic() < deadline, f"it did not come to {self.step}"
            time.sleep(0.05)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(PATIENCE_SECONDS)

    def go_on(self) -> int:
        """Let it run to its end; its exit code."""
        self.paused.unlink()
        return self.process.wait(PATIENCE_SECONDS)


def uri(file: Path | str) -> str:
    """Of a local file, or as it is."""
    return file if isinstance(file, str) else f"file://{file}"


def _version(file: Path | str, credentials: str | None = None) -> str | None:
    found = probe.look_up(uri(file), ["file:///"], credentials)
    return None if found is None else found.version


def _size(file: Path | str, credentials: str | None) -> int:
    if isinstance(file, Path):
        return file.stat().st_size
    name, _, key = file.removeprefix("s3://").partition("/")
    return storage.bucket(name, credentials).head(key)["size"]


def outcomes(report: Report) -> dict[str, tuple[str, int]]:
    """Outcome and rows by the file's name."""
    return {file.uri.rpartition("/")[2]: (file.outcome, file.rows) for file in report.files}


def reason(report: Report, name: str) -> str:
    found: FileReport = next(file for file in report.files if file.uri.endswith(f"/{name}"))
    return found.reason or ""


def a_table(catalog: str = "lake") -> str:
    return f"{catalog}.flows.t{uuid4().hex[:8]}"


def _key(file: Path | str) -> bytes:
    return hashlib.sha256(uri(file).encode()).digest()[:16]
