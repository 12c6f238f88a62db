"""What a run imports, imported before there is one: two seconds, once, in pages that all children share.

Nothing of it may start a thread: what is forked is one thread, and locks that others held stay locked in a child. Two
libraries do unless the environment says otherwise before Python starts (`ONE_THREAD`).
"""

from __future__ import annotations

import gc
import importlib
from pathlib import Path

# Asked by each process anew, and a run is one.
LEAN = {"PREFECT_CLIENT_SERVER_VERSION_CHECK_ENABLED": "false"}
# Of OpenBLAS its pool, of Arrow's allocator the thread that gives memory back. `cli.commands.worker` sets them.
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "JE_ARROW_MALLOC_CONF": "background_thread:false"}
_MODULES = (
    *("prefect.engine", "prefect.flow_engine", "prefect.workers.process", "prefect.runner._flow_run_executor"),
    *("psycopg", "grpc", "pandas", "pyarrow", "pyarrow.parquet", "obstore"),
    *("pyspark.sql.connect.session", "pyspark.sql.connect.client", "pyspark.sql.connect.functions"),
    *("flows.ingest", "flows.preview", "flows.loading.work"),
    *("worker.child", "worker.process_pool", "worker.waking"),
)


class Threaded(Exception):
    """There are threads where there must be one."""


def import_all() -> None:
    """Import it, and keep the garbage collector from writing into the pages. Raises Threaded."""
    for name in _MODULES:
        importlib.import_module(name)
    importlib.import_module("worker.lean").make_lean()
    gc.collect()
    gc.freeze()
    threads = [path.read_text().strip() for path in Path("/proc/self/task").glob("*/comm")]
    if len(threads) != 1:
        wanted = " ".join(f"{name}={value}" for name, value in ONE_THREAD.items())
        raise Threaded(
            f"a process of several threads ({', '.join(threads)}) cannot be forked safely: set {wanted} "
            "before it starts, and import nothing that starts one"
        )
