"""A jar that stands for many: it holds nothing but their names, in one order.

A JVM takes a class data archive only when its class path begins as the recorded one did. Spark's launcher puts the
folder of its configuration before its own jars, and lets Java find those in the order of their folder: so a jar that
names them all comes first, as `spark.driver.extraClassPath`. Source: the JAR File Specification, "Class-Path". From a
folder whose name is no URL's (a blank, a letter beyond ASCII) Java loads classes, but keeps none of them in an archive.

    python -m dev.class_path JAR FOLDER...      makes one that names all jars in the folders
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote
from zipfile import ZipFile, ZipInfo

from dev.jars import jars_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_PLAIN = "/+@=!()&,'~$"  # what a URL may hold as it is: class data sharing knows no escapes
_LINE = 70  # a manifest's lines have 72 bytes, with the blank that continues one


def write(jar: Path, named: Iterable[Path]) -> None:
    """Make `jar`, which names those jars by where they lie from it. It appears whole."""
    places = (quote(os.path.relpath(one, jar.parent), safe=_PLAIN) for one in named)
    lines = ["Manifest-Version: 1.0", *_folded(f"Class-Path: {' '.join(places)}")]
    draft = jar.with_name(f".{jar.name}.{os.getpid()}")
    with ZipFile(draft, "w") as file:
        file.writestr(ZipInfo("META-INF/MANIFEST.MF"), "".join(f"{line}\r\n" for line in lines))
    draft.replace(jar)


def _folded(line: str) -> Iterator[str]:
    yield line[:_LINE]
    for start in range(_LINE, len(line), _LINE):
        yield f" {line[start : start + _LINE]}"


if __name__ == "__main__":
    place, *folders = map(Path, sys.argv[1:])
    write(place, (jar for folder in folders for jar in jars_in(folder)))
