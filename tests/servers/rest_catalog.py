"""Iceberg's own REST catalog, which keeps its tables in PostgreSQL. It asks nobody who he is: for tests alone."""

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

from dev import jars
from tests.e2e.site import eventually

_ICEBERG, _JETTY, _AWS = "1.11.0", "12.1.8", "2.29.52"
REST_CATALOG = jars.JarSet(
    name="rest-catalog",
    artifacts=(
        f"org.apache.iceberg:iceberg-core:{_ICEBERG}",
        f"org.apache.iceberg:iceberg-core:{_ICEBERG}:tests",
        f"org.apache.iceberg:iceberg-aws:{_ICEBERG}",
        f"org.eclipse.jetty:jetty-server:{_JETTY}",
        f"org.eclipse.jetty.ee10:jetty-ee10-servlet:{_JETTY}",
        f"org.eclipse.jetty.compression:jetty-compression-server:{_JETTY}",
        f"org.eclipse.jetty.compression:jetty-compression-gzip:{_JETTY}",
        "org.postgresql:postgresql:42.7.14",
        "org.slf4j:slf4j-simple:2.0.17",
        *(f"software.amazon.awssdk:{name}:{_AWS}" for name in ("s3", "sts", "kms", "url-connection-client")),
    ),
    excluded=(),
    megabytes=35,
    contents="Iceberg's REST catalog",
)
_MAIN = Path(__file__).with_name("RestCatalog.java")


@contextmanager
def serving(
    address: str, properties: Mapping[str, str], environ: Mapping[str, str], folder: Path, log: Path
) -> Iterator[str]:
    """Serve a catalog of these properties at `host:port`; its URL. Its libraries are fetched into `folder` once."""
    jars.download(REST_CATALOG, folder, print).run(_run)
    class_path = os.pathsep.join(REST_CATALOG.class_path(folder))
    told = "".join(f"{name}={text}\n" for name, text in properties.items())
    command = ["java", "-Xmx256m", "-XX:+UseSerialGC", "-cp", class_path, str(_MAIN), *address.rsplit(":", 1)]
    with log.open("wb") as output:
        server = subprocess.Popen(
            command, env={**os.environ, **environ}, stdin=subprocess.PIPE, stderr=output, text=True
        )
    try:
        assert server.stdin is not None
        with server.stdin as properties_file:
            properties_file.write(told)
        eventually(lambda: server.poll() is not None or _answers(f"http://{address}/v1/config"), "the catalog answers")
        assert server.poll() is None, f"the REST catalog ended: {log.read_text()}"
        yield f"http://{address}"
    finally:
        server.terminate()
        server.wait()


def _run(command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
    subprocess.run(command, env={**os.environ, **(environment or {})}, check=True)


def _answers(url: str) -> bool:
    try:
        return httpx.get(url).is_success
    except httpx.HTTPError:
        return False
