"""One attempt in a process of its own that waits after a step: `python -m … batch attempt step file [lives]`.

It makes the file when it waits, and goes on when the file is gone. SIGTERM is raised as Prefect raises it.
"""

import os
import signal
import sys
import time
from pathlib import Path
from uuid import uuid4

from flows.loading import life
from flows.loading.attempt import carry_out
from flows.loading.ledger import Ledger


class Terminated(BaseException):
    """SIGTERM."""


def main(batch: str, attempt: int, step: str, paused: Path, *, lives: bool) -> None:
    def terminate(_number: int, _frame: object) -> None:
        raise Terminated

    def wait_after(done: str) -> None:
        if done == step:
            paused.touch()
            while paused.exists():
                time.sleep(0.02)

    signal.signal(signal.SIGTERM, terminate)
    life.GRACE_SECONDS = 2
    ledger = Ledger(os.environ["DATABASE_URL"])
    carry_out(batch, attempt, str(uuid4()), ledger=ledger, environ=os.environ, lives=lives, watch=wait_after)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3], Path(sys.argv[4]), lives="lives" in sys.argv[5:])
