"""`autoloader retry`: load once more what was not loaded."""

from cli.answering import AsJson, Name, Targets, Wait, answered, checked, targets
from schemas.events.requests import RetryAsked


def retry(what: Targets, *, request_id: Name = None, wait: Wait = 600, as_json: AsJson = False) -> None:
    """Load again what failed, was quarantined or missing."""
    answered(checked(lambda: RetryAsked.model_validate(targets(what))), request_id, wait, as_json=as_json)
