"""The heap in MiB of an embedded session in the lane high-memory: `python -m … file`, `memory.max` of the pod."""

import os
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

from flows.loading import room, session
from flows.loading.ledger import Claimed
from schemas.formats import Format
from schemas.manifest import Manifest


def main(limit: Path) -> None:
    room.CGROUP = limit.parent
    manifest = Manifest(source_id="a-v1", source_name="a", table="lake.a.b", format=Format.model_validate("csv"))
    claimed = Claimed("b-1", 1, "run", uuid4(), "load", "high-memory", manifest, ())
    with session.opened(claimed, os.environ) as opened:
        java: Any = opened.sparkContext._jvm
        print(java.java.lang.Runtime.getRuntime().maxMemory() // 2**20)  # noqa: T201 - what it is for


if __name__ == "__main__":
    main(Path(sys.argv[1]))
