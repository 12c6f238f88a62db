"""Where is my request?"""

from datetime import datetime

from router.rules.explanation.answer import Explanation, Moment, Standing, Verdict, in_words
from router.rules.explanation.known import KnownRequest


def explain_request(request: KnownRequest, *, now: datetime) -> Explanation:
    """The answer to "where is my request?" for one that the ledger knows."""
    history = [Moment(request.accepted, f"{request.kind} asked by {request.producer}, at {request.position}")]
    if request.listed is not None:
        history.append(Moment(request.listed, f"all its files are known: {request.files_total}"))
    if request.ended is not None:
        history.append(Moment(request.ended, f"answered: {request.outcome}"))
    return Explanation(request.id, *_of_request(request, now), history)


def _of_request(request: KnownRequest, now: datetime) -> "Verdict":
    done = f"{request.files_done} of {request.files_total} files have ended"
    if request.ended is not None:
        standing: Standing = "loaded" if request.outcome in {"loaded", "previewed", "done"} else "needs a person"
        commands = [f"autoloader retry {request.id}"] if request.outcome in {"partly-loaded", "nothing-loaded"} else []
        return standing, str(request.outcome), request.reason or done, "nothing", commands
    state = f"open for {in_words(now - request.accepted)}"
    until = f", given up in {in_words(request.deadline - now)}" if request.deadline else ""
    cancel = f"autoloader cancel {request.id}"
    if request.trouble is not None:
        return "waiting", state, f"its files are not listed yet: {request.trouble}", f"tried again{until}", [cancel]
    if request.kind == "preview":
        return "waiting", state, "its file has not been looked at yet", f"answered when it has{until}", [cancel]
    if request.listed is None:
        return "waiting", state, "its files are being listed", f"they are loaded, then it is answered{until}", [cancel]
    look = [f"autoloader explain {request.oldest_open}"] if request.oldest_open else []
    return "waiting", state, done, f"answered when all have{until}", [*look, cancel]
