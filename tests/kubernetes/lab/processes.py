"""Programs that run beside the tests until they are told to stop, each with its log."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

GRACE_SECONDS = 5.0  # an API server would go on for a minute


@dataclass
class Processes:
    """Those of one lab. A process is its own session, so that the terminal's Ctrl-C leaves it to us."""

    logs: Path
    _running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, name: str, *command: str, environ: Mapping[str, str] | None = None) -> None:
        """Start a program; its output goes to the end of its log."""
        self.logs.mkdir(parents=True, exist_ok=True)
        with (self.logs / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env={**os.environ, **(environ or {})},
                start_new_session=True,
            )  # fmt: skip

    def stop(self, name: str, number: signal.Signals = signal.SIGTERM) -> None:
        """End one, and wait for its end."""
        process = self._running.pop(name, None)
        if process is None:
            return
        process.send_signal(number)
        try:
            process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def stop_all(self) -> None:
        """End all, the last that was started first."""
        for name in reversed(list(self._running)):
            self.stop(name)

    def await_ready(self, name: str, is_ready: Callable[[], bool], seconds: float = 90) -> None:
        """Wait until a program is ready; raises with the end of its log when it ends before, or takes too long."""
        deadline = time.monotonic() + seconds
        while not is_ready():
            ended = name in self._running and self._running[name].poll() is not None
            if ended or time.monotonic() > deadline:
                log = (self.logs / f"{name}.log").read_text(errors="replace")[-3000:]
                raise RuntimeError(f"{name} {'ended' if ended else 'is not ready'}:\n{log}")
            time.sleep(0.1)
