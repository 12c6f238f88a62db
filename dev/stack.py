"""The local stack: PostgreSQL, Kafka, Prefect, Spark Connect, the workers and the router of one home.

    jars-kafka ── kafka ─────────────┐
    postgres ──┬─ prefect ── deploy ─┼─ router
    jars-spark ┴─ spark-connect ─────┘      (deploy also before worker-default, -high-memory, -priority)

Each part is a process (group) of its own that outlives this one; a file `run/<part>.json` says what should
run. So `down` works from any process, and after any crash.
"""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from dev import interrupts, jars, kafka, ports, postgres, prefect, spark, workers
from dev.environment import for_parts
from dev.errors import Cancelled, StackError
from dev.home import Home, check_path, write_private
from dev.java import check_java, check_maven
from dev.launch import Launcher
from dev.lock import Lock
from dev.order import in_order, reversed_needs
from dev.parts import Service
from dev.processes import end, marked, send
from dev.supervisor import Supervisor

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dev.parts import Part

__all__ = ["PARTS", "Progress", "Stack", "StackError"]

Progress = Callable[[str], None]

PARTS = (
    "postgres",
    "kafka",
    "prefect",
    "spark-connect",
    "deploy",
    "worker-default",
    "worker-high-memory",
    "worker-priority",
    "router",
)
_JARS = {"kafka": jars.KAFKA, "spark-connect": jars.SPARK}
_PROJECT = Path(__file__).resolve().parent.parent


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - what a command line shows when nothing else is asked for


class Stack:
    """One local stack, whose data lies in `home`. `config` is the router's `autoloader.yaml`.

    `parts` chooses some of `PARTS` (the libraries they need are fetched anyway). `progress` receives one
    finished line for each thing that happened. `catalogs` are those of Iceberg (see `dev.spark.defaults`).
    """

    def __init__(
        self,
        home: Path,
        config: Path,
        *,
        progress: Progress = _say,
        environ: Mapping[str, str] = os.environ,
        parts: Iterable[str] = PARTS,
        catalogs: Mapping[str, Mapping[str, str]] = {},
    ) -> None:
        root = home.resolve()
        shared = environ.get("AUTOLOADER_JARS")
        self._home = Home(root, jars=Path(shared).resolve() if shared else root / "jars")
        self._config = config.resolve()
        self._environ = dict(environ)
        self._catalogs = catalogs
        self._chosen = _checked(parts)
        self._tell = progress
        self._cancelled = interrupts.Flag()
        self._lock = Lock(self._home.run / "stack.lock")
        self._launcher = Launcher(self._home, _PROJECT, for_parts(environ, self._home), self._cancelled, self._progress)

    def up(self) -> None:
        """Start everything; returns when all parts are ready.

        On failure, and on Ctrl-C (KeyboardInterrupt), what was started is stopped again. Raises StackError.
        """
        began = time.monotonic()
        self._home.create()
        self._claim()
        try:
            with interrupts.setting(self._cancelled):
                self._start_all()
        except BaseException as error:
            self.down()
            if isinstance(error, Cancelled):
                raise KeyboardInterrupt from None
            raise
        self._progress(f"{'all':<18} ready in {time.monotonic() - began:.1f} s")

    def down(self) -> None:
        """Stop all parts, also those of an earlier process that crashed. Nothing of the stack runs afterwards."""
        if not self._home.root.exists():
            return
        ignored = interrupts.Flag()  # a second Ctrl-C must not leave half of it running
        with interrupts.setting(ignored):
            self._lock.dismiss_owner(within_seconds=120)
            self._cancelled.clear()
            services = {name: part for name, part in self._parts(PARTS).items() if isinstance(part, Service)}
            needs = reversed_needs({name: part.needs for name, part in services.items()})
            in_order(needs, lambda name: self._launcher.stop(services[name]), interrupts.Flag())
            end(marked(f"@{self._home.root}"))  # a step that was cut off: a download, a format
            self._lock.release()

    def supervise(self) -> None:
        """Restart what dies, until SIGINT or SIGTERM; then stop everything and return."""
        self._cancelled.clear()
        with interrupts.setting(self._cancelled):
            recording = threading.Thread(target=self._record_beside, daemon=True)
            recording.start()
            Supervisor(self._launcher, self._services()).run()
            send(marked(self._launcher.mark(spark.RECORDER)), signal.SIGKILL)  # politely, it would still write
            recording.join(timeout=30)
            self.down()

    def record_class_data(self) -> None:
        """Make the next starts of Spark two to four times faster, for all homes that share the jars.

        Takes a minute or two at the lowest priority, once; `supervise` does it by itself. The stack must be up.
        """
        if "spark-connect" not in self._chosen or spark.has_class_data(self._home, self._environ):
            return
        chosen = self._ports()
        part = spark.recorder(self._home, chosen, self._environ, ports.free_port(chosen))
        self._launcher.start(part, silently=True)
        self._launcher.stop(part)
        spark.keep_class_data(self._home, self._environ)
        self._progress(f"{'spark-connect':<18} will start faster from now on")

    def settings(self) -> dict[str, str]:
        """The environment for programs that use the stack."""
        chosen = self._ports()
        return {
            "DATABASE_URL": postgres.url(self._home, chosen["postgres"], "autoloader"),
            "KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers(chosen),
            **prefect.client_settings(self._home, chosen),
            **spark.client_settings(self._home, chosen),
            "AUTOLOADER_CONFIG": str(self._config),
            "AUTOLOADER_HOME": str(self._home.root),
            "AUTOLOADER_HTTP_PORT": str(chosen["router"]),
            "AUTOLOADER_WEBHOOK_SECRET": self._home.webhook_secret(),
        }

    def start(self, part: str) -> None:
        """Start one part and wait until it is ready; what it needs must run already."""
        self._home.create()
        self._cancelled.clear()
        with interrupts.setting(self._cancelled):
            self._launcher.start(self._parts([part])[part])

    def stop(self, part: str) -> None:
        """Stop one part gracefully, with all its children; a supervisor leaves it stopped."""
        service = self._parts([part])[part]
        if isinstance(service, Service):
            self._launcher.stop(service)
            self._progress(f"{part:<18} stopped")

    def kill(self, part: str) -> None:
        """SIGKILL to the part's process group, as a crash would be; a supervisor restarts it."""
        self._launcher.kill(part)

    def pid(self, part: str) -> int | None:
        process = self._launcher.pid_file(part).process()
        return None if process is None else process.pid

    def running(self) -> dict[str, bool]:
        """Of each process of the whole stack, whether it runs."""
        return {name: self.pid(name) is not None for name in PARTS if name != "deploy"}

    def _start_all(self) -> None:
        self._preflight()
        wanted = [name for name in ports.NAMES if name.removesuffix("-controller") in self._chosen]
        ports.choose(self._home.ports, self._environ, wanted, self._progress)
        write_private(self._home.settings, json.dumps(self.settings(), indent=2) + "\n")
        parts = self._parts(self._chosen)
        needs = {name: part.needs for name, part in parts.items()}
        in_order(needs, lambda name: self._launcher.start(parts[name]), self._cancelled)

    def _record_beside(self) -> None:
        # Nothing depends on it, so its failure is told and no more; being told to stop is no failure.
        try:
            self.record_class_data()
        except StackError as error:
            self._progress(f"{spark.RECORDER:<18} {error}")
        except Cancelled:
            pass

    def _claim(self) -> None:
        if not self._lock.take():
            owner = self._lock.owner()
            by = f" (pid {owner.pid})" if owner else ""
            raise StackError(
                f"the stack in {self._home.root} is already up{by}: use it, or stop it by `autoloader down`."
            )
        if left := [name for name, runs in self.running().items() if runs]:
            self._lock.release()
            raise StackError(
                f"parts of the stack in {self._home.root} are already running: {', '.join(left)}. "
                "Use them, or stop them by `autoloader down`."
            )

    def _preflight(self) -> None:
        for folder in (self._home.root, self._home.jars):
            check_path(folder)
        needed = [_JARS[name] for name in self._chosen if name in _JARS]
        if needed:
            check_java(self._environ)
        if missing := [one.contents for one in needed if not one.complete_in(self._home.jars)]:
            check_maven(self._environ, " and ".join(missing))

    def _services(self) -> list[Service]:
        return [part for part in self._parts(self._chosen).values() if isinstance(part, Service)]

    def _ports(self) -> dict[str, int]:
        remembered = ports.recall(self._home.ports)
        if len(remembered) == len(ports.NAMES):
            return remembered
        self._home.create()
        return ports.choose(self._home.ports, self._environ, (), self._progress)

    def _parts(self, names: Iterable[str]) -> dict[str, Part]:
        """The named parts, and before them the steps which fetch their libraries, in the order of starting."""
        chosen, settings = self._ports(), self.settings()
        home, environ = self._home, self._environ
        built: dict[str, Part] = {
            "postgres": postgres.service(home, chosen["postgres"], environ),
            "kafka": kafka.service(home, chosen, self._config, environ),
            "prefect": prefect.service(home, chosen),
            "spark-connect": spark.service(home, chosen, environ, self._catalogs),
            "deploy": workers.deploy(settings),
            **{f"worker-{lane}": workers.worker(lane, chosen, self._config, settings) for lane in workers.LANES},
            "router": workers.router(chosen, settings),
        }
        steps = [jars.download(_JARS[name], home.jars, self._progress) for name in names if name in _JARS]
        return {**{step.name: step for step in steps}, **{name: built[name] for name in names}}

    def _progress(self, line: str) -> None:
        self._home.logs.mkdir(parents=True, exist_ok=True)
        with self._home.log("stack").open("a") as log:
            log.write(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} {line}\n")
        self._tell(line)


def _checked(parts: Iterable[str]) -> tuple[str, ...]:
    chosen = set(parts)
    if unknown := chosen - set(PARTS):
        raise StackError(f"no such part: {', '.join(sorted(unknown))}. There are: {', '.join(PARTS)}.")
    return tuple(name for name in PARTS if name in chosen)
