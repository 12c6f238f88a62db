"""What Spark reads of files: `python -m … file`, in which stands a JSON list of `{path, width, options}`.

Each becomes a list of rows, whose first value is what Spark says is wrong with the row. All are read by one job.
"""

import json
import os
import sys
from collections.abc import Mapping
from functools import reduce
from pathlib import Path
from typing import Any
from uuid import uuid4

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - everybody's name for it
from pyspark.sql.types import StringType, StructType

from flows.loading import session
from flows.loading.ledger import Claimed
from schemas.formats import Format
from schemas.manifest import Manifest


def main(told: Path) -> None:
    files = json.loads(told.read_text())
    manifest = Manifest(source_id="a-v1", source_name="a", table="lake.a.b", format=Format.model_validate("csv"))
    claimed = Claimed("b-1", 1, "run", uuid4(), "load", "high-memory", manifest, ())
    with session.opened(claimed, os.environ) as opened:
        frames = [_frame(opened, number, file) for number, file in enumerate(files)]
        rows = reduce(DataFrame.unionAll, frames).collect()
    found: list[list[Any]] = [[] for _ in files]
    for number, values in rows:
        found[number].append(values)
    told.write_text(json.dumps(found))


def _frame(opened: SparkSession, number: int, file: Mapping[str, Any]) -> DataFrame:
    schema = StructType()
    for column in range(file["width"]):
        schema = schema.add(f"c{column}", StringType())
    schema = schema.add("wrong", StringType())
    options = {**file["options"], "mode": "PERMISSIVE", "columnNameOfCorruptRecord": "wrong"}
    frame = opened.read.schema(schema).options(**options).csv(file["path"])
    return frame.select(F.lit(number), F.array("wrong", *schema.names[:-1]))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
