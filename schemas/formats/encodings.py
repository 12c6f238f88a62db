"""The encodings of text that Python and Java read alike, by Python's name; each with the name that Java knows.

All 256 bytes, and all pairs of bytes where one character may have two, were decoded by both: whatever Python takes is
the same text in Java. So the flow's own look at a file, which is Python's, and Spark's agree. Left out because they do
not: Shift_JIS, EUC-JP, EUC-KR, GBK, GB18030, Big5, TIS-620, and what Java does not know.
"""

import codecs
from collections.abc import Mapping

from schemas.base import nearest

_ISO = {f"iso8859-{n}": f"ISO-8859-{n}" for n in (1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 15, 16)}
_WINDOWS = {f"cp{n}": f"windows-{n}" for n in range(1250, 1259)}
_DOS = {f"cp{n}": f"IBM{n}" for n in (437, 775, 850, 852, 855, 857, 860, 861, 862, 863, 864, 865, 866, 869)}
JAVA_CHARSETS: Mapping[str, str] = {
    "utf-8": "UTF-8",
    "utf-16": "UTF-16",
    "utf-16-le": "UTF-16LE",
    "utf-16-be": "UTF-16BE",
    "utf-32": "UTF-32",
    "utf-32-le": "UTF-32LE",
    "utf-32-be": "UTF-32BE",
    "ascii": "US-ASCII",
    **_ISO,
    **_WINDOWS,
    **_DOS,
    "cp737": "x-IBM737",
    "cp858": "IBM00858",
    "cp949": "x-windows-949",
    "gb2312": "GB2312",
    "koi8-r": "KOI8-R",
    "koi8-u": "KOI8-U",
    "mac-roman": "x-MacRoman",
}
_USUAL = ("utf-8", "utf-16", "utf-16le", "utf-16be", "utf-32", "ascii", "latin-1", "iso-8859-15", *_WINDOWS.values())


def codec(encoding: str) -> str:
    """Python's name of the encoding, which has many.

    Raises:
        ValueError: it is unknown, or Python and Java read it differently.
    """
    try:
        name = codecs.lookup(encoding).name
    except (LookupError, ValueError):
        meant = nearest(encoding.lower(), list(_USUAL), "encodings")
        raise ValueError(f"unknown encoding {encoding!r}; {meant}") from None
    if name not in JAVA_CHARSETS:
        raise ValueError(f"encoding {encoding!r} is read differently by Python and Java; write the files as UTF-8")
    return name
