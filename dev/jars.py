"""The Java libraries of Kafka and Spark, downloaded once by Maven.

A set is there completely or not at all: it is downloaded beside its place and then renamed. Its folder's name
tells what was pinned, so a changed pin downloads anew; a folder that is there is never touched again, because
a JVM may be reading it. One process downloads at a time: Maven's own repository is not made for two.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import shutil
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING
from xml.sax.saxutils import escape

from dev.parts import Step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from dev.parts import RunOnce


@dataclass(frozen=True, slots=True)
class JarSet:
    """`artifacts` are group:artifact:version[:classifier], `excluded` group:artifact patterns kept out everywhere."""

    name: str
    artifacts: tuple[str, ...]
    excluded: tuple[str, ...]
    megabytes: int
    contents: str

    def place(self, folder: Path) -> Path:
        """The set's own folder in `folder`: another one when anything pinned is another."""
        pinned = "\n".join([*self.artifacts, *(f"without {pattern}" for pattern in self.excluded)])
        return folder / f"{self.name}-{hashlib.sha256(pinned.encode()).hexdigest()[:12]}"

    def complete_in(self, folder: Path) -> bool:
        return self.place(folder).exists()

    def class_path(self, folder: Path) -> list[str]:
        return [str(jar) for jar in jars_in(self.place(folder))]


def jars_in(folder: Path) -> list[Path]:
    """Sorted: a class data archive is valid for exactly one order."""
    return sorted(folder.glob("*.jar"))


KAFKA = JarSet(
    name="kafka",
    artifacts=("org.apache.kafka:kafka_2.13:4.4.0", "org.apache.logging.log4j:log4j-slf4j-impl:2.25.5"),
    excluded=(),
    megabytes=43,
    contents="Apache Kafka 4.4.0",
)

SPARK = JarSet(
    name="spark",
    artifacts=(
        "org.apache.iceberg:iceberg-spark-runtime-4.1_2.13:1.11.0",
        "org.postgresql:postgresql:42.7.14",
        "org.apache.hadoop:hadoop-aws:3.4.2",
        "software.amazon.awssdk:s3:2.29.52",
        "software.amazon.awssdk:s3-transfer-manager:2.29.52",
        "software.amazon.awssdk:sts:2.29.52",
        "software.amazon.awssdk:kms:2.29.52",  # without it Iceberg's S3FileIO does not even start
    ),
    # What pyspark brings in its own versions: a second copy in front of it breaks Spark (netty does).
    # And the AWS bundle: 600 MB for what three of its modules do.
    excluded=(
        "software.amazon.awssdk:bundle",
        "org.apache.hadoop:hadoop-client-api",
        "org.apache.hadoop:hadoop-client-runtime",
        "io.netty:*",
        "commons-codec:*",
        "commons-logging:*",
        "org.apache.httpcomponents:*",
        "org.slf4j:*",
        "org.checkerframework:*",
        "org.wildfly.openssl:*",
        "software.amazon.s3.analyticsaccelerator:*",
    ),
    megabytes=59,
    contents="Iceberg 1.11.0, the PostgreSQL driver and S3 for Spark",
)


def download(jars: JarSet, folder: Path, progress: Callable[[str], None]) -> Step:
    """The step which brings this set into `folder/<name>`."""

    def run(run_once: RunOnce) -> str:
        if jars.complete_in(folder):
            return ""
        progress(f"{step_name(jars):<18} downloading {jars.contents} ({jars.megabytes} MB)")
        with _alone(folder, run_once):
            if not jars.complete_in(folder):  # another stack that shares the folder may have been faster
                _download(jars, folder, run_once)
        return "downloaded"

    return Step(step_name(jars), (), run)


def step_name(jars: JarSet) -> str:
    return f"jars-{jars.name}"


def pom(jars: JarSet) -> str:
    """A Maven project which does nothing but depend on the set."""
    exclusions = "".join(_element("exclusion", pattern.split(":")) for pattern in jars.excluded)
    wrapped = f"<exclusions>{exclusions}</exclusions>" if exclusions else ""
    dependencies = "".join(_element("dependency", one.split(":"), wrapped) for one in jars.artifacts)
    return (
        '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
        f"<groupId>autoloader</groupId><artifactId>{jars.name}-jars</artifactId><version>1</version>"
        f"<packaging>pom</packaging><dependencies>{dependencies}</dependencies></project>\n"
    )


def _element(tag: str, coordinates: list[str], more: str = "") -> str:
    inner = zip(("groupId", "artifactId", "version", "classifier"), coordinates, strict=False)
    return f"<{tag}>" + "".join(f"<{name}>{escape(text)}</{name}>" for name, text in inner) + f"{more}</{tag}>"


@contextlib.contextmanager
def _alone(folder: Path, run_once: RunOnce) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "download.lock").open("a") as lock:
        while not _taken(lock):
            run_once(["sleep", "0.5"])  # so that who waits can be stopped
        yield


def _taken(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _download(jars: JarSet, folder: Path, run_once: RunOnce) -> None:
    draft = folder / f".{jars.name}"
    shutil.rmtree(draft, ignore_errors=True)  # of a process that was killed
    draft.mkdir()
    project = draft / "pom.xml"
    project.write_text(pom(jars))
    run_once(["mvn", "-q", "-B", "-f", str(project), "dependency:copy-dependencies", f"-DoutputDirectory={draft}"])
    draft.rename(jars.place(folder))


if __name__ == "__main__":
    print(pom(SPARK))  # noqa: T201 - the image's build gives it to Maven
