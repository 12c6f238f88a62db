"""Compressed files are unpacked to their last byte, or refused: Spark ends some that are cut without a word."""

import bz2
import gzip
import zlib
from collections.abc import Callable, Iterator
from functools import partial

import pyarrow as pa
import pytest

from flows.loading.errors import Unfit
from flows.loading.reading.compression import compression, unpacked


def pieces(content: bytes, size: int) -> Iterator[bytes]:
    return (content[start : start + size] for start in range(0, len(content), size))


TEXT = b"a,b\n" + b"".join(b"%d,x%d\n" % (n, n * 7919) for n in range(5000))
HEADER, ROWS = TEXT[:4], TEXT[4:]


def zst(content: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(content)
    return bytes(sink.getvalue().to_pybytes())


def blocks(codec: str, content: bytes, chunk: int = 1000, block: int = 2500) -> bytes:
    """As Hadoop packs: chunks of a thousand bytes, two or three a block."""
    packed = b""
    for at in range(0, len(content), block):
        within = content[at : at + block]
        chunks = (pa.compress(within[n : n + chunk], codec, asbytes=True) for n in range(0, len(within), chunk))
        packed += len(within).to_bytes(4, "big") + b"".join(len(one).to_bytes(4, "big") + one for one in chunks)
    return packed


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "deflate": zlib.compress,
    "zst": zst,
    "snappy": partial(blocks, "snappy"),
    "lz4": partial(blocks, "lz4_raw"),
}


@pytest.mark.parametrize("name", PACKERS)
@pytest.mark.parametrize("size", [7, 1000, 2**20])
def test_all_members_of_a_compressed_file_are_unpacked_the_empty_ones_too(name: str, size: int) -> None:
    pack = PACKERS[name]
    members = pack(b"") + pack(HEADER) + pack(b"") + pack(ROWS[:999]) + pack(ROWS[999:]) + pack(b"")

    assert b"".join(unpacked(pieces(pack(TEXT), size), name)) == TEXT
    assert b"".join(unpacked(pieces(members, size), name)) == TEXT


@pytest.mark.parametrize("name", PACKERS)
def test_a_compressed_file_that_is_cut_or_is_none_is_refused(name: str) -> None:
    packed = PACKERS[name](TEXT)

    with pytest.raises(Unfit, match="truncated"):
        list(unpacked([packed[:-9]], name))
    with pytest.raises(Unfit, match=f"not a {name} file"):
        list(unpacked([TEXT], name))


@pytest.mark.parametrize("name", ["gz", "deflate", "zst", "snappy", "lz4"])
@pytest.mark.parametrize("more", [b"\0" * 100, b"more than nothing"])
def test_what_follows_the_last_member_is_refused(name: str, more: bytes) -> None:
    with pytest.raises(Unfit, match="damaged"):
        list(unpacked([PACKERS[name](TEXT) + more], name))


def test_what_a_storage_says_while_a_file_is_unpacked_is_not_said_of_the_file() -> None:
    def broken() -> Iterator[bytes]:
        yield gzip.compress(TEXT)[:100]
        raise FileNotFoundError("gone")

    with pytest.raises(FileNotFoundError):
        list(unpacked(broken(), "gz"))


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        (
            "lz4",
            pa.compress(TEXT, "lz4", asbytes=True),
            "standard framing, and Spark reads Hadoop's alone; use gz or zst",
        ),
        ("snappy", b"\xff\x06\x00\x00sNaPpY" + TEXT, "standard framing"),
        ("snappy", pa.compress(TEXT, "snappy", asbytes=True), "not a snappy file"),
        ("snappy", blocks("snappy", bytes(2**18 + 1), chunk=2**19, block=2**19), "no room for all"),
        ("lz4", blocks("lz4_raw", bytes(2**18 + 1), chunk=2**19, block=2**19), "no room for all"),
        ("lz4", b"\0\0\0\5" + blocks("lz4_raw", b"abcd")[4:], "truncated"),
        ("lz4", b"\0\0\0\3" + blocks("lz4_raw", b"abcd")[4:], "no room for all"),
        ("snappy", blocks("snappy", b"abcd") + bytes(4) + blocks("snappy", b"efgh"), "follows an empty block"),
    ],
)
def test_of_snappy_and_lz4_only_what_hadoop_reads_to_its_end_is_taken(name: str, content: bytes, reason: str) -> None:
    for size in (3, 1000):
        with pytest.raises(Unfit, match=reason):
            list(unpacked(pieces(content, size), name))


def test_an_empty_block_may_end_a_file() -> None:
    assert b"".join(unpacked([blocks("snappy", b"abcd") + bytes(4)], "snappy")) == b"abcd"


def test_a_compression_is_told_by_the_end_of_the_name_in_any_case() -> None:
    assert [compression(f"s3://b/a.csv{end}") for end in ("", ".gz", ".GZ", ".bz2", ".zst", ".deflate", ".Snappy")] == [
        None, "gz", "gz", "bz2", "zst", "deflate", "snappy",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        ("XZ", "'xz' is not supported; use one of gz, deflate, zst, bz2, snappy, lz4, or none"),
        ("zstd", "does not know 'zstd' files by this name; let its name end in .zst"),
        ("GZIP", "let its name end in .gz"),
        ("bzip2", "let its name end in .bz2"),
    ],
)
def test_a_compression_that_spark_does_not_know_is_refused_by_name(end: str, reason: str) -> None:
    with pytest.raises(Unfit, match=reason):
        compression(f"s3://b/a.csv.{end}")
