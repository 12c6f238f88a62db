"""The local stack on real parts: PostgreSQL and Kafka, below a folder which only its owner may enter."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from dev import kafka
from dev.processes import MARK
from dev.stack import Stack, StackError

pytestmark = pytest.mark.integration

PARTS = ("postgres", "kafka")


@pytest.fixture
def shared_jars() -> str:
    return os.environ.get("AUTOLOADER_JARS", str(Path(__file__).resolve().parents[2] / ".autoloader" / "jars"))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    return private / "home"


@pytest.fixture
def stack(home: Path, shared_jars: str) -> Iterator[Stack]:
    one = a_stack(home, shared_jars)
    yield one
    one.down()
    assert processes_of(home) == []


def a_stack(home: Path, jars: str, *, parts: tuple[str, ...] = PARTS, **environ: str) -> Stack:
    settings = {**os.environ, "AUTOLOADER_JARS": jars, **environ}
    return Stack(home, home / "autoloader.yaml", parts=parts, environ=settings)


def processes_of(home: Path) -> list[str]:
    """Command lines of all processes that carry the home's mark."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK, "").endswith(f"@{home}") and process.status() != psutil.STATUS_ZOMBIE:
                found.append(" ".join(process.cmdline()))
        except psutil.Error:
            continue
    return found


def connect(stack: Stack) -> psycopg.Connection:
    return psycopg.connect(stack.settings()["DATABASE_URL"], autocommit=True)


async def topics(stack: Stack, *, create: str | None = None) -> set[str]:
    admin = AIOKafkaAdminClient(bootstrap_servers=stack.settings()["KAFKA_BOOTSTRAP_SERVERS"])
    await admin.start()
    try:
        if create is not None:
            await admin.create_topics([NewTopic(create, num_partitions=1, replication_factor=1)])
        return set(await admin.list_topics())
    finally:
        await admin.close()


def test_what_was_written_is_there_after_down_and_up(stack: Stack) -> None:
    stack.up()
    with connect(stack) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    asyncio.run(topics(stack, create="kept"))

    stack.down()
    stack.up()

    with connect(stack) as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)
        names = {name for (name,) in connection.execute("SELECT datname FROM pg_database")}
    assert {"autoloader", "prefect", "iceberg"} <= names
    assert asyncio.run(topics(stack)) >= {"kept", *kafka.TOPICS}


def test_parts_that_were_killed_start_again_with_their_data(stack: Stack) -> None:
    stack.up()
    with connect(stack) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")

    for part in PARTS:
        stack.kill(part)
    assert not any(stack.running().values())
    for part in PARTS:
        stack.start(part)

    with connect(stack) as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)
    assert asyncio.run(topics(stack)) >= set(kafka.TOPICS)


def test_another_process_can_take_the_stack_down_after_a_crash(stack: Stack, home: Path, shared_jars: str) -> None:
    script = (
        "import os, sys; from pathlib import Path; from dev.stack import Stack\n"
        "Stack(Path(sys.argv[1]), Path('none'), parts=['postgres']).up(); os._exit(1)"
    )
    starter = subprocess.run(
        [sys.executable, "-c", script, str(home)],
        env={**os.environ, "AUTOLOADER_JARS": shared_jars},
        stdout=subprocess.DEVNULL,
        check=False,
    )
    assert starter.returncode == 1
    assert stack.running()["postgres"]

    with pytest.raises(StackError, match=r"already running: postgres\. .*autoloader down"):
        stack.up()
    stack.down()

    assert not any(stack.running().values())
    assert processes_of(home) == []


def test_a_second_stack_on_a_running_home_is_refused(home: Path, shared_jars: str) -> None:
    first = a_stack(home, shared_jars, parts=("postgres",))
    first.up()
    try:
        with pytest.raises(StackError, match=rf"already up \(pid {os.getpid()}\)"):
            a_stack(home, shared_jars, parts=("postgres",)).up()

        assert first.running()["postgres"]
    finally:
        first.down()


def test_a_taken_port_is_named_with_its_holder_and_nothing_is_started(home: Path, shared_jars: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        stack = a_stack(home, shared_jars, AUTOLOADER_PORT_POSTGRES=str(port))

        with pytest.raises(StackError, match=rf"postgres: port {port} .* is taken by pid {os.getpid()}"):
            stack.up()

    assert processes_of(home) == []


def test_a_part_that_cannot_start_says_why_and_the_rest_is_stopped(home: Path, shared_jars: str) -> None:
    stack = a_stack(home, shared_jars)
    stack.up()
    stack.down()
    (home / "data" / "kafka" / "meta.properties").write_text("version=1\nnode.id=9\ncluster.id=another\n")

    with pytest.raises(StackError) as caught:
        stack.up()

    text = str(caught.value)
    assert text.startswith("kafka ended with exit code 1")
    assert str(home / "logs" / "kafka.log") in text
    assert processes_of(home) == []


def test_the_supervisor_restarts_what_was_killed_and_leaves_nothing_when_told_to_stop(
    home: Path, shared_jars: str
) -> None:
    script = (
        "import sys; from pathlib import Path; from dev.stack import Stack\n"
        "stack = Stack(Path(sys.argv[1]), Path('none'), parts=['postgres']); stack.up(); stack.supervise()"
    )
    supervisor = subprocess.Popen(
        [sys.executable, "-u", "-c", script, str(home)],
        env={**os.environ, "AUTOLOADER_JARS": shared_jars},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert supervisor.stdout is not None
    told = iter(supervisor.stdout)
    assert any(line.startswith("all ") for line in told)
    onlooker = a_stack(home, shared_jars, parts=("postgres",))

    onlooker.kill("postgres")

    assert "died" in next(told)
    assert "ready" in next(told)
    assert onlooker.running()["postgres"]

    supervisor.send_signal(signal.SIGINT)

    assert supervisor.wait(timeout=60) == 0
    assert processes_of(home) == []
    supervisor.stdout.close()
