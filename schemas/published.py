"""The JSON Schemas of what goes in and out on Kafka, as they stand in `docs/schemas/`.

    python -m schemas.published          write them

`tests/unit/test_published.py` holds them to the models, and to what was published before: they grow, and no field goes.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from schemas.completions import BatchCompletion, DeadLetter, RequestCompletion
from schemas.events.arrivals import FileEvent
from schemas.events.requests import CancelAsked, LoadAsked, PreviewAsked, RetryAsked

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "schemas"
DIALECT = "https://json-schema.org/draft/2020-12/schema"
MODELS: Mapping[str, type[BaseModel]] = {
    "batch-completion": BatchCompletion,
    "request-completion": RequestCompletion,
    "dead-letter": DeadLetter,
    "file-event": FileEvent,
    "load-request": LoadAsked,
    "preview-request": PreviewAsked,
    "retry-request": RetryAsked,
    "cancel-request": CancelAsked,
}


def schema(name: str) -> Mapping[str, Any]:
    """Make the schema of one of `MODELS`: of what is written if it goes out, of what is read if it comes in."""
    goes_out = name in {"batch-completion", "request-completion", "dead-letter"}
    return {"$schema": DIALECT, **MODELS[name].model_json_schema(mode="serialization" if goes_out else "validation")}


def text(name: str) -> str:
    """Write the schema as it stands in its file."""
    return json.dumps(schema(name), indent=2) + "\n"


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name in MODELS:
        (FOLDER / f"{name}.json").write_text(text(name))
