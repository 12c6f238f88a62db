"""`autoloader cancel`: give up what is not loaded yet."""

from cli.answering import AsJson, Name, Targets, Wait, answered, checked, targets
from schemas.events.requests import CancelAsked


def cancel(what: Targets, *, request_id: Name = None, wait: Wait = 600, as_json: AsJson = False) -> None:
    """Give up what is not in the table yet: files that wait, a batch in flight, or what a request asked for."""
    answered(checked(lambda: CancelAsked.model_validate(targets(what))), request_id, wait, as_json=as_json)
