"""Is there a Java (and a Maven) good enough? Asked before anything is started."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import TYPE_CHECKING

from dev.errors import StackError

if TYPE_CHECKING:
    from collections.abc import Mapping

OLDEST_MAJOR = 17

_VERSION = re.compile(r'version "(?:1\.)?(\d+)')


def java(environ: Mapping[str, str]) -> str:
    """The program: JAVA_HOME's, else the one on PATH."""
    home = environ.get("JAVA_HOME")
    return f"{home}/bin/java" if home else "java"


def check_java(environ: Mapping[str, str]) -> str:
    """The first line of `java -version`; StackError when Java is missing or too old."""
    found = _version_text(environ)
    major = major_version(found)
    if major is None or major < OLDEST_MAJOR:
        raise StackError(
            f"Java {OLDEST_MAJOR} or newer is needed (found: {found or 'none'}). Install one, e.g. "
            f"`apt-get install openjdk-{OLDEST_MAJOR}-jre-headless` or `brew install openjdk@{OLDEST_MAJOR}`, "
            "or set JAVA_HOME to it."
        )
    return found


def check_maven(environ: Mapping[str, str], needed_for: str) -> None:
    if shutil.which("mvn", path=environ.get("PATH")) is None:
        raise StackError(
            f"Maven (`mvn`) is needed once, to download {needed_for}, and is not on PATH. Install it, e.g. "
            "`apt-get install maven` or `brew install maven`, or set AUTOLOADER_JARS to a folder that has them."
        )


def major_version(text: str) -> int | None:
    """17 of `openjdk version "17.0.15" 2025-04-15`, 8 of `java version "1.8.0_392"`; None if there is none."""
    match = _VERSION.search(text)
    return int(match.group(1)) if match else None


def _version_text(environ: Mapping[str, str]) -> str:
    try:
        answer = subprocess.run(
            [java(environ), "-version"],
            capture_output=True,
            text=True,
            env=dict(environ),
            timeout=30,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    lines = [line for line in answer.stderr.splitlines() if "version" in line]
    return lines[0] if lines else ""
