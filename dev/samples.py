"""Files of the demo, each with the rows it holds: known before anything is loaded."""

import gzip
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Sample:
    """A file, and how many rows a table has of it once it is loaded."""

    path: Path
    rows: int


def zipped(sample: Sample) -> Sample:
    """The same rows as gzip, beside the file."""
    target = sample.path.with_name(f"{sample.path.name}.gz")
    target.write_bytes(gzip.compress(sample.path.read_bytes(), compresslevel=1))
    return Sample(target, sample.rows)


def cut_in_half(sample: Sample) -> Sample:
    """The file without its second half, as an upload that broke off leaves it: nothing of it may be loaded."""
    content = sample.path.read_bytes()
    sample.path.write_bytes(content[: len(content) // 2])
    return Sample(sample.path, 0)
