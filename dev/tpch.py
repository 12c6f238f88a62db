"""The demo's big file: TPC-H's `lineitem`, made by the package `tpchgen-cli`, which needs no network."""

import subprocess
import sysconfig
from pathlib import Path

import pyarrow.parquet

from dev.samples import Sample


def lineitem(folder: Path, *, scale: float) -> Sample:
    """A parquet file of 6,000,000 rows times the scale, about; the same scale gives the same rows."""
    program = Path(sysconfig.get_path("scripts")) / "tpchgen-cli"
    if not program.exists():
        raise FileNotFoundError("the package tpchgen-cli is not installed; it comes with the development requirements")
    folder.mkdir(parents=True, exist_ok=True)
    options = ("--scale-factor", str(scale), "--tables", "lineitem", "--num-threads", "1", "--overwrite", "--quiet")
    subprocess.run([program, "parquet", *options, "--output-dir", folder], check=True)
    target = folder / "lineitem.parquet"
    return Sample(target, pyarrow.parquet.read_metadata(target).num_rows)
