"""The Java libraries of Kafka and Spark, downloaded once by Maven.

A set is there completely or not at all: it is downloaded beside its place and then renamed. A note of the
pinned versions lies in it, so a changed pin downloads anew.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from dev.parts import Step

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from dev.parts import RunOnce

_NOTE = "pinned.txt"


@dataclass(frozen=True, slots=True)
class JarSet:
    """`artifacts` are group:artifact:version[:classifier], `excluded` group:artifact patterns kept out everywhere."""

    name: str
    artifacts: tuple[str, ...]
    excluded: tuple[str, ...]
    megabytes: int
    contents: str

    def pin(self) -> str:
        return "\n".join([*self.artifacts, *(f"without {pattern}" for pattern in self.excluded)]) + "\n"

    def complete_in(self, folder: Path) -> bool:
        note = folder / self.name / _NOTE
        return note.exists() and note.read_text() == self.pin()

    def class_path(self, folder: Path) -> list[str]:
        """Sorted: the class data archives are valid for exactly one order."""
        return sorted(str(jar) for jar in (folder / self.name).glob("*.jar"))


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


def _download(jars: JarSet, folder: Path, run_once: RunOnce) -> None:
    draft = folder / f".{jars.name}.{os.getpid()}"
    shutil.rmtree(draft, ignore_errors=True)
    try:
        draft.mkdir(parents=True)
        project = draft / "pom.xml"
        project.write_text(pom(jars))
        run_once(["mvn", "-q", "-B", "-f", str(project), "dependency:copy-dependencies", f"-DoutputDirectory={draft}"])
        (draft / _NOTE).write_text(jars.pin())
        _move_in(draft, jars, folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _move_in(draft: Path, jars: JarSet, folder: Path) -> None:
    shutil.rmtree(folder / jars.name, ignore_errors=True)
    try:
        draft.rename(folder / jars.name)
    except OSError:
        if not jars.complete_in(folder):  # another stack that shares the folder was faster
            raise


if __name__ == "__main__":
    print(pom(SPARK))  # noqa: T201 - the image's build gives it to Maven
