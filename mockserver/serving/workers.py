"""Several processes on one port, for load: gunicorn keeps the processes, aiohttp's worker class runs each.

Source: https://docs.aiohttp.org/en/stable/deployment.html and https://docs.gunicorn.org/en/stable/custom.html.
"""

from collections.abc import Awaitable, Callable

from aiohttp import web

from ..errors import MockServerError
from .server import Server, has_uvloop


def run(server: Server, count: int, told: Callable[[str], None]) -> None:
    """Answer in `count` processes until interrupted; each has its own journal. `told` is called with the URL.

    Raises:
        MockServerError: gunicorn is not installed, or the port cannot be bound.
    """
    try:
        from gunicorn.app.base import BaseApplication  # noqa: PLC0415 - only those who ask for workers need it
    except ImportError:
        raise MockServerError(
            "workers need the package gunicorn: pip install 'chat-model-conformance[workers]'"
        ) from None
    port = server.bind().detach()
    kind = "GunicornUVLoopWebWorker" if has_uvloop() else "GunicornWebWorker"
    settings = {
        "bind": f"fd://{port}",
        "workers": count,
        "worker_class": f"aiohttp.{kind}",
        "graceful_timeout": 2,
        "loglevel": "warning",
        "when_ready": lambda _: told(server.url),
        "control_socket_disable": True,
    }

    class Application(BaseApplication):  # type: ignore[misc]
        """Gunicorn, told by values in place of a file."""

        def load_config(self) -> None:
            for name, value in settings.items():
                if name in self.cfg.settings:
                    self.cfg.set(name, value)

        def load(self) -> Callable[[], Awaitable[web.AppRunner]]:
            return server.application

    try:
        Application().run()
    except SystemExit as ended:
        if ended.code:
            raise MockServerError("the workers did not start; gunicorn says why above") from None
