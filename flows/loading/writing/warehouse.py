"""The store with the files of the tables, asked once before a table is touched.

If it does not answer, or refuses, Iceberg tries for minutes to read the table's metadata and says nothing meanwhile.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flows.loading.errors import Infrastructure
from flows.loading.translation import named_errors, translated

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from flows.loading.writing.tables import Table

_NOT_THERE = "org.apache.iceberg.exceptions.NotFoundException"


def probe(session: SparkSession, table: Table) -> None:
    """Have Spark read a file from the warehouse that is not there: only a store that lets it in says so.

    A REST catalog reads the metadata itself, so there is nothing to ask before.

    Raises:
        Infrastructure: the store does not answer Spark; Denied, when it refuses.
    """
    catalog = f"spark.sql.catalog.{table.catalog}"
    with named_errors():
        warehouse = (session.conf.get(f"{catalog}.warehouse", "") or "").rstrip("/")
        kind = session.conf.get(f"{catalog}.type", "")
    if not warehouse.startswith("s3") or kind == "rest":
        return
    arguments = f"'{table.catalog}.{table.namespace}.autoloader_probe', '{warehouse}/autoloader-probe.metadata.json'"
    try:
        session.sql(f"CALL {table.catalog}.system.register_table({arguments})").collect()
    except Exception as error:
        found = translated(error)
        if not isinstance(found, Infrastructure) or _NOT_THERE in str(error):
            return  # whatever else is wrong the load meets itself, and names
        if found.target != "storage":
            raise found from error
        what = f"the warehouse {warehouse} cannot be read; check what Spark has for it, {catalog}.s3.* and AWS_*"
        raise type(found)(f"{what}: {found}", target="catalog") from error
