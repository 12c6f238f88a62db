"""VersityGW, an S3 store whose buckets are folders. Go builds it once, where there is one."""

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.e2e.site import eventually
from tests.servers.tools import installed


@contextmanager
def serving(root: Path, address: str, environ: Mapping[str, str], options: Sequence[str] = ()) -> Iterator[str]:
    """Serve the folders in `root` at `host:port`; the endpoint.

    `environ` holds its keys and its region, as `AWS_*` tell them to clients; `options` are the program's own.
    """
    metadata = root.with_name(f"metadata-of-{root.name}")  # a name that begins like the root counts as inside of it
    metadata.mkdir()
    command = [str(program()), "--port", address, "--region", environ["AWS_REGION"], "--health", "/health"]
    command += [*options, "posix", "--sidecar", str(metadata), str(root)]
    keys = {
        "ROOT_ACCESS_KEY": environ["AWS_ACCESS_KEY_ID"],
        "ROOT_SECRET_KEY": environ["AWS_SECRET_ACCESS_KEY"],
    }
    server = subprocess.Popen(command, env={**os.environ, **keys}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        eventually(lambda: _is_healthy(f"http://{address}/health"), "the S3 server answers")
        yield f"http://{address}"
    finally:
        server.terminate()
        server.wait()


def program() -> Path:
    """Where the server is, built by Go if it is not there yet."""
    return installed("github.com/versity/versitygw/cmd/versitygw@v1.8.0", "versitygw")


def _is_healthy(url: str) -> bool:
    try:
        return httpx.get(url).is_success
    except httpx.HTTPError:
        return False
