"""The flow `ingest`, halting after a step that the test names: to be killed there. It dies of a file that is deadly.

`python -m tests.e2e.halting` deploys it in the place of the real one, `autoloader deploy` puts that back.
"""

import asyncio
import os
import time
from pathlib import Path

import psycopg
from prefect import flow

from flows.deploying import deploy
from flows.ingest import run
from schemas.config import load_config

HOME = Path(os.environ.get("AUTOLOADER_HOME", "."))
HALT_AFTER = HOME / "halt-after"
HALTED = HOME / "halted"
DEADLY = "deadly"  # in a file's name


@flow(name="ingest", retries=0, persist_result=False, log_prints=False)
def ingest(batch: str, attempt: int) -> None:
    """The real work, by whoever survives it."""

    def watch(step: str) -> None:
        _halt(step)
        if step == "look" and _holds_a_deadly_file(batch):
            os._exit(1)

    run(batch, attempt, watch)


def _holds_a_deadly_file(batch: str) -> bool:
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        found = connection.execute("SELECT FROM file WHERE batch_id = %s AND uri LIKE %s", (batch, f"%{DEADLY}%"))
        return found.fetchone() is not None


def _halt(step: str) -> None:
    """Say in `halted` who waits; the name appears whole or not at all."""
    if HALT_AFTER.exists() and HALT_AFTER.read_text() == step:
        writing = HALTED.with_suffix(".new")
        writing.write_text(str(os.getpid()))
        writing.rename(HALTED)
        while HALT_AFTER.exists():
            time.sleep(0.05)


if __name__ == "__main__":
    config = load_config(Path(os.environ["AUTOLOADER_CONFIG"]), os.environ)
    url = f"http://127.0.0.1:{os.environ['AUTOLOADER_HTTP_PORT']}/webhooks/prefect"
    secret = os.environ["AUTOLOADER_WEBHOOK_SECRET"]
    asyncio.run(deploy(config, webhook_url=url, webhook_secret=secret, entrypoint="tests.e2e.halting.ingest"))
