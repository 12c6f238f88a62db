"""A jar that names others: by lines that Java reads, in an order that stays."""

import os
from pathlib import Path
from urllib.parse import unquote
from zipfile import ZipFile

from dev import class_path, spark
from dev.home import Home


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

    assert class_path.jars_in(tmp_path) == [tmp_path / "a.jar", tmp_path / "b.jar"]


def test_spark_has_the_same_jar_each_time_because_its_class_data_is_valid_for_that_alone(tmp_path: Path) -> None:
    home, ports = Home(tmp_path, jars=tmp_path / "jars"), {"postgres": 1, "spark-connect": 2}
    home.create()
    spark.write_configuration(home, ports, os.environ, {})
    settings = spark.defaults(home, ports, os.environ, {})
    jar = Path(settings["spark.driver.extraClassPath"])
    before = jar.stat()

    spark.write_configuration(home, ports, os.environ, {})

    assert "iceberg" not in str(named_in(jar))  # which this home has not downloaded
    assert any(one.name.startswith("spark-connect_") for one in named_in(jar))
    after = jar.stat()
    assert (after.st_mtime_ns, after.st_ino) == (before.st_mtime_ns, before.st_ino)


def test_a_spark_of_its_own_starts_with_the_class_data_of_the_server(tmp_path: Path) -> None:
    home, ports = Home(tmp_path, jars=tmp_path / "jars"), {"postgres": 1, "spark-connect": 2}
    assert "SharedArchiveFile" not in spark.defaults(home, ports, os.environ, {})["spark.driver.extraJavaOptions"]
    jar = spark.defaults(home, ports, os.environ, {})["spark.driver.extraClassPath"]
    archive = Path(jar).with_suffix(".jsa")
    archive.parent.mkdir(parents=True)
    archive.write_bytes((0xF00BABA8).to_bytes(4, "little"))

    settings = spark.defaults(home, ports, os.environ, {})

    assert f"-XX:SharedArchiveFile={archive}" in settings["spark.driver.extraJavaOptions"]
