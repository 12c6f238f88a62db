"""As whom a store is asked: as the usual `AWS_*` variables say, or as a set of them that has a name.

The set `partners` is `AUTOLOADER_CREDENTIALS_PARTNERS_AWS_ACCESS_KEY_ID` and so on.
"""

from collections.abc import Mapping

_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")


def environment(credentials: str | None, environ: Mapping[str, str]) -> Mapping[str, str]:
    """Put the variables of these credentials in the place of the usual ones.

    The keys must be among them; an endpoint or a region that is not is as usual.

    Raises:
        PermissionError: there are no such credentials.
    """
    if credentials is None:
        return environ
    prefix = f"AUTOLOADER_CREDENTIALS_{credentials.upper()}_"
    own = {name.removeprefix(prefix): value for name, value in environ.items() if name.startswith(prefix) and value}
    for key in _KEYS:
        if key not in own:
            raise PermissionError(f"{prefix}{key} is not set; set the keys of the credentials {credentials!r}")
    others = {"AWS_SESSION_TOKEN"} | ({"AWS_ENDPOINT_URL_S3"} if "AWS_ENDPOINT_URL" in own else set())
    return {name: value for name, value in {**environ, **own}.items() if name in own or name not in others}
