"""PromQL over several routers. What stands in the ledger is told by each of them: it is counted once, by `max`.

What a router did, and what it alone has, is added up. In every query `HERE` picks one installation.
"""

HERE = 'namespace="$namespace", job="$job"'
SECONDS_IN_LEDGER = "autoloader_backlog_counted_timestamp_seconds"


def chosen(metric: str, where: str = "") -> str:
    """One installation's series of a metric; `where` names more labels."""
    return f"{metric}{{{', '.join(filter(None, (HERE, where)))}}}"


def zero() -> str:
    """Be 0 as soon as any router tells, and nothing without one: that is no zero."""
    return f"0 * max({chosen(SECONDS_IN_LEDGER)})"


def standing(metric: str, *by: str, where: str = "") -> str:
    """What stands, by these labels, whichever router tells of it."""
    return f"max by ({', '.join(by)}) ({chosen(metric, where)})" if by else f"max({chosen(metric, where)})"


def total(metric: str, *each: str, by: str = "", where: str = "") -> str:
    """What stands, added up over the labels that tell one thing from another."""
    told = standing(metric, *each, where=where)
    return f"sum by ({by}) ({told})" if by else f"(sum({told}) or {zero()})"


def owned(metric: str, *by: str, where: str = "") -> str:
    """What each router has for itself, added up."""
    return f"sum by ({', '.join(by)}) ({chosen(metric, where)})" if by else f"sum({chosen(metric, where)})"


def increase(metric: str, *by: str, where: str = "", over: str = "$__range") -> str:
    """How often it happened in the time that is shown, at all routers."""
    counted = f"increase({chosen(metric, where)}[{over}])"
    return f"sum by ({', '.join(by)}) ({counted})" if by else f"sum({counted})"


def lately(metric: str, *by: str, where: str = "") -> str:
    """How often it happened in five minutes, where it did at all."""
    return f"{increase(metric, *by, where=where, over='5m')} > 0"


def rate(metric: str, *by: str, where: str = "") -> str:
    """How often it happens in a second, at all routers."""
    counted = f"rate({chosen(metric, where)}[$__rate_interval])"
    return f"sum by ({', '.join(by)}) ({counted})" if by else f"sum({counted})"


def quantile(share: float, histogram: str, *by: str, where: str = "", over: str = "$__rate_interval") -> str:
    """The seconds within which this share of all was done."""
    buckets = f"rate({chosen(f'{histogram}_bucket', where)}[{over}])"
    return f"histogram_quantile({share}, sum by ({', '.join((*by, 'le'))}) ({buckets}))"


def age(metric: str, *by: str, where: str = "") -> str:
    """How long ago it was, at whichever router it was last."""
    return f"time() - {standing(metric, *by, where=where)}"
