"""The data folder of one local stack: what lies where.

logs/<part>.log       run/<part>.json, run/stack.lock    data/postgres, data/kafka
warehouse/            spark/conf/spark-defaults.conf     jars/kafka-<pin>, jars/spark-<pin>, jars/cache
ports.json            settings.json, secret, password    prefect/
"""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dev.errors import StackError

if TYPE_CHECKING:
    from pathlib import Path

PRIVATE = 0o600

_READ_OTHERWISE = frozenset(',:"\\\n')


@dataclass(frozen=True, slots=True)
class Home:
    """Paths of one stack. `jars` may be shared by several homes; all else is this home's own."""

    root: Path
    jars: Path

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def run(self) -> Path:
        return self.root / "run"

    @property
    def postgres_data(self) -> Path:
        return self.root / "data" / "postgres"

    @property
    def kafka_data(self) -> Path:
        return self.root / "data" / "kafka"

    @property
    def warehouse(self) -> Path:
        return self.root / "warehouse"

    @property
    def spark(self) -> Path:
        return self.root / "spark"

    @property
    def spark_conf(self) -> Path:
        return self.spark / "conf"

    @property
    def prefect(self) -> Path:
        return self.root / "prefect"

    @property
    def cache(self) -> Path:
        """What only makes starts faster: beside the jars, because it is valid for exactly those."""
        return self.jars / "cache"

    @property
    def settings(self) -> Path:
        return self.root / "settings.json"

    @property
    def ports(self) -> Path:
        return self.root / "ports.json"

    def log(self, part: str) -> Path:
        return self.logs / f"{part}.log"

    def create(self) -> None:
        """Make the folders that more than one part writes to."""
        own = (self.logs, self.run, self.root / "data", self.warehouse, self.spark_conf)
        for folder in (*own, self.cache):
            folder.mkdir(parents=True, exist_ok=True)

    def webhook_secret(self) -> str:
        return _made_once(self.root / "secret")

    def database_password(self) -> str:
        return _made_once(self.root / "password")

    @property
    def password_file(self) -> Path:
        return self.root / "password"


def check_path(folder: Path) -> None:
    """Raises StackError when programs would take a part of its path for something else."""
    if found := _READ_OTHERWISE.intersection(str(folder)):
        raise StackError(
            f"{folder}: the path holds {' and '.join(map(repr, sorted(found)))}, where Kafka, Spark or Java "
            "end a name or escape. Set AUTOLOADER_HOME (and AUTOLOADER_JARS, if it is set) to a folder without."
        )


def write_private(path: Path, text: str) -> None:
    """Replace a file whole, readable by its owner only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    draft.replace(path)


def _made_once(path: Path) -> str:
    if not path.exists():
        write_private(path, secrets.token_hex(24))
    return path.read_text().strip()
