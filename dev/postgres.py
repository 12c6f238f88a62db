"""PostgreSQL: the database server of the ledger, of Prefect and of the Iceberg catalog.

It listens on the stack's address only and asks for a password (scram) that is made once for each home.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from dev.parts import Service
from dev.ports import ADDRESS, answers
from dev.postgres_programs import account, find_programs, run_as

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dev.home import Home
    from dev.parts import RunOnce

USER = "autoloader"
DATABASES = ("autoloader", "prefect", "iceberg")
_CATALOG = Path(__file__).with_name("iceberg_catalog.sql")

# For a laptop; what is written is as durable as PostgreSQL's defaults make it.
_OPTIONS = {
    "listen_addresses": ADDRESS,
    "unix_socket_directories": "",  # a socket's path may have 107 bytes: a deep home has more
    "max_connections": "150",
    "shared_buffers": "128MB",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "random_page_cost": "1.1",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


def service(home: Home, port: int, environ: Mapping[str, str]) -> Service:
    """The server, with its three databases made."""
    data = home.postgres_data

    def prepare(run_once: RunOnce) -> None:
        if not (data / "PG_VERSION").exists():
            _initialise(home, environ, run_once)

    def complete(_: RunOnce) -> None:
        _create_databases(url(home, port, "postgres"))
        guard_catalog(url(home, port, "iceberg"))

    def command() -> list[str]:
        options = {**_OPTIONS, "port": str(port)}
        words = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        server = find_programs(environ, data).folder / "postgres"
        return [*run_as(account()), str(server), "-D", str(data), *words]

    return Service(
        name="postgres",
        needs=(),
        prepare=prepare,
        command=command,
        ready=lambda: answers(port) and _lets_in(url(home, port, "postgres")),
        complete=complete,
        stop_signal=signal.SIGINT,  # "fast": it ends open sessions; after SIGTERM it would wait for them
        stop_seconds=30,
    )


def url(home: Home, port: int, database: str, *, scheme: str = "postgresql") -> str:
    return f"{scheme}://{USER}:{home.database_password()}@{ADDRESS}:{port}/{database}"


def guard_catalog(database: str) -> None:
    """Guard the commits of an Iceberg catalog in this database, by `dev/iceberg_catalog.sql`."""
    with psycopg.connect(database) as connection:
        connection.execute(_CATALOG.read_bytes())


def _initialise(home: Home, environ: Mapping[str, str], run_once: RunOnce) -> None:
    data, who = home.postgres_data, account()
    home.database_password()
    data.mkdir(parents=True, exist_ok=True)
    data.chmod(0o700)
    if who is not None:
        os.chown(data, who.uid, who.gid)
    initdb = find_programs(environ, data).folder / "initdb"
    run_once(
        [
            *run_as(who),
            *(str(initdb), "-D", str(data), "-U", USER, "--encoding=UTF8", "--no-locale"),
            *("--auth=scram-sha-256", f"--pwfile={home.password_file}", "--no-instructions"),
        ]
    )
    with (data / "pg_hba.conf").open("a") as file:  # by itself it lets in what comes from the loopback address
        file.write("host all all all scram-sha-256\n")


def _lets_in(server: str) -> bool:
    try:
        psycopg.connect(server, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


def _create_databases(server: str) -> None:
    with psycopg.connect(server, autocommit=True) as connection:
        there = {name for (name,) in connection.execute("SELECT datname FROM pg_database")}
        for name in DATABASES:
            if name not in there:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
