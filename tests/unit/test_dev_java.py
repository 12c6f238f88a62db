"""The preflight: Java and Maven, or one clear line."""

from pathlib import Path

import pytest

from dev.errors import StackError
from dev.java import check_java, check_maven, java, major_version


@pytest.mark.parametrize(
    ("text", "major"),
    [
        ('openjdk version "17.0.15" 2025-04-15', 17),
        ('openjdk version "21" 2023-09-19', 21),
        ('openjdk version "22-ea" 2024-03-19', 22),
        ('java version "1.8.0_392"', 8),
        ('java version "11.0.2" 2019-01-15 LTS', 11),
        ("command not found", None),
        ("", None),
    ],
)
def test_the_major_version_is_read(text: str, major: int | None) -> None:
    assert major_version(text) == major


def fake_java(folder: Path, version: str) -> dict[str, str]:
    """An environment whose JAVA_HOME has a `java` of this version."""
    program = folder / "bin" / "java"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\necho 'Picked up JAVA_TOOL_OPTIONS: -Da=b' >&2\necho '{version}' >&2\n")
    program.chmod(0o755)
    return {"JAVA_HOME": str(folder), "PATH": "/usr/bin:/bin"}


def test_java_home_goes_before_the_path() -> None:
    assert java({"JAVA_HOME": "/opt/jdk"}) == "/opt/jdk/bin/java"
    assert java({}) == "java"


def test_a_new_enough_java_passes(tmp_path: Path) -> None:
    version = 'openjdk version "21.0.2" 2024-01-16'

    assert check_java(fake_java(tmp_path, version)) == version


def test_an_old_java_is_named_with_the_remedy(tmp_path: Path) -> None:
    environ = fake_java(tmp_path, 'openjdk version "11.0.2" 2019-01-15')

    with pytest.raises(StackError, match=r'17 or newer is needed \(found: openjdk version "11\.0\.2".*set JAVA_HOME'):
        check_java(environ)


def test_no_java_at_all_is_said(tmp_path: Path) -> None:
    with pytest.raises(StackError, match="found: none"):
        check_java({"JAVA_HOME": str(tmp_path), "PATH": ""})


def test_no_maven_says_what_it_is_needed_for(tmp_path: Path) -> None:
    with pytest.raises(StackError, match="to download Apache Kafka"):
        check_maven({"PATH": str(tmp_path)}, "Apache Kafka")
