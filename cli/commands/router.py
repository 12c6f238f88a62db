"""`autoloader router`: the router as a process."""

import asyncio

from cli import environment
from cli.errors import CommandError
from router import app
from router.adapters import logs
from router.adapters.http.server import PortTaken
from router.settings import read_settings


def router() -> None:
    """Run the router until SIGTERM or SIGINT."""
    environ = environment.environment()
    settings = read_settings(environ)
    config = environment.config(environ)
    logs.configure()
    try:
        asyncio.run(app.run(settings, config))
    except PortTaken as error:
        raise CommandError(str(error)) from error
