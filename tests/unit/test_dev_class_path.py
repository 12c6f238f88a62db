"""A jar that names others: by lines that Java reads, in an order that stays."""

import os
from pathlib import Path
from urllib.parse import unquote
from zipfile import ZipFile

import pytest

from dev import class_path, jars
from dev.class_data import class_data
from tests.unit.test_dev_configuration import PROJECT, home, spark_settings
from tests.unit.test_dev_java import fake_java


def named_in(jar: Path) -> list[Path]:
    """As the specification has it: lines of 72 bytes at most, of which those that begin with a blank go on."""
    manifest = ZipFile(jar).read("META-INF/MANIFEST.MF")
    assert all(len(line) <= 72 for line in manifest.split(b"\r\n"))
    first, classes, *rest = manifest.decode("ascii").replace("\r\n ", "").split("\r\n")
    assert first == "Manifest-Version: 1.0"
    assert rest == [""]
    name, _, places = classes.partition(": ")
    assert name == "Class-Path"
    return [Path(os.path.normpath(jar.parent / unquote(place))) for place in places.split(" ")]


def test_a_jar_names_others_by_where_they_lie_from_it(tmp_path: Path) -> None:
    jars = [tmp_path / "a folder of ours" / f"{'long-' * (n % 30)}{n}-ä.jar" for n in range(300)]
    jar = tmp_path / "cache" / "all.jar"
    jar.parent.mkdir()

    class_path.write(jar, jars)

    assert named_in(jar) == jars
    assert os.listdir(jar.parent) == ["all.jar"]  # noqa: PTH208 - with what begins with a dot


def test_a_folder_of_jars_has_one_order(tmp_path: Path) -> None:
    for name in ("b.jar", "a.jar", "c.txt"):
        (tmp_path / name).touch()

    assert jars.jars_in(tmp_path) == [tmp_path / "a.jar", tmp_path / "b.jar"]


def test_spark_has_the_same_jar_each_time_because_its_class_data_is_valid_for_that_alone(tmp_path: Path) -> None:
    jar = Path(spark_settings(home(tmp_path))["spark.driver.extraClassPath"])
    before = jar.stat()

    assert spark_settings(home(tmp_path))["spark.driver.extraClassPath"] == str(jar)

    assert any(one.name.startswith("spark-connect_") for one in named_in(jar))
    assert (jar.stat().st_mtime_ns, jar.stat().st_ino) == (before.st_mtime_ns, before.st_ino)


def test_where_the_jars_are_another_users_spark_has_the_list_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(jar: Path, named: object) -> None:
        raise PermissionError(jar)

    monkeypatch.setattr(class_path, "write", refuse)
    ours = jars.SPARK.place(home(tmp_path).jars)
    ours.mkdir(parents=True)
    for name in ("b.jar", "a.jar"):
        (ours / name).touch()

    assert spark_settings(home(tmp_path))["spark.driver.extraClassPath"] == f"{ours}/a.jar:{ours}/b.jar"


def test_a_spark_of_its_own_starts_with_the_class_data_of_the_server(tmp_path: Path) -> None:
    before = spark_settings(home(tmp_path))
    archive = Path(before["spark.driver.extraClassPath"]).with_suffix(".jsa")
    archive.write_bytes((0xF00BABA8).to_bytes(4, "little"))

    after = spark_settings(home(tmp_path))

    assert "SharedArchiveFile" not in before["spark.driver.extraJavaOptions"]
    assert f"-XX:SharedArchiveFile={archive}" in after["spark.driver.extraJavaOptions"]


def test_class_data_is_that_of_jars_as_they_are_now(tmp_path: Path) -> None:
    (jar := tmp_path / "a.jar").touch()
    environ = fake_java(tmp_path / "java", 'openjdk version "17.0.15" 2025-04-15')
    before = class_data(home(tmp_path), "spark", [str(jar)], environ)

    assert class_data(home(tmp_path), "spark", [str(jar)], environ) == before
    os.utime(jar, (1, 1))  # another pyspark of the same version
    assert class_data(home(tmp_path), "spark", [str(jar)], environ) != before


def test_the_image_uses_the_class_data_that_it_has_written() -> None:
    words = (PROJECT / "Dockerfile").read_text().replace('"', " ").split()

    (place,) = [word.partition("=")[2] for word in words if word.startswith("-XX:ArchiveClassesAtExit=")]
    assert f"SPARK_SUBMIT_OPTS=-XX:SharedArchiveFile={place}" in words
