"""The lines that pin a table's columns are those that the configuration reads."""

import yaml

from router.rules.columns import pinned
from schemas.config.sources import Columns
from schemas.report import SchemaColumn


def test_what_is_proposed_gives_the_columns_their_types() -> None:
    columns = [
        SchemaColumn(name=name, type=kind)
        for name, kind in [("id", "bigint"), ('a: "b"', "decimal(18,2)"), ("no", "string"), ("tags", "array<string>")]
    ]

    read = Columns.model_validate(yaml.safe_load(pinned(columns))["schema"])

    assert read.columns == {"id": "bigint", 'a: "b"': "decimal(18,2)", "no": "string"}
