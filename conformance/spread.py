"""Runs that pytest-xdist spreads over workers: their controller judges nothing, and starts the workers first."""

from importlib.util import find_spec

import pytest

from .collector import leave_out_all


def waits(config: pytest.Config) -> bool:
    """Whether this process starts workers, before which it need not find the models.

    What shows at a look, a package that is not there, it is to say before it starts any.
    """
    # As `xdist.plugin` decides it.
    spreads = config.getoption("dist", "no") != "no" and not config.getoption("collectonly")
    return spreads and not hasattr(config, "workerinput") and all(map(_is_there, config.getoption("--chat-model")))


def _is_there(spec: str) -> bool:
    module, _, name = spec.partition(":")
    package = module.partition(".")[0]
    return bool(package and name) and find_spec(package) is not None


class Controller:
    """Finds the models while the workers do so too, and then sums up.

    Importing a model's package takes seconds, which the workers would otherwise wait for.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self) -> None:
        """Register the session late: the workers have been started when this is called.

        Raises:
            pytest.UsageError: a model or an option cannot be used; it says so once, and for all workers.
        """
        from .session import Session  # noqa: PLC0415 - takes long

        session = Session(self._config)
        self._config.pluginmanager.register(session, "conformance-session")
        leave_out_all(self._config)
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        if reporter and self._config.get_verbosity() >= 0 and not self._config.getoption("no_header"):
            for line in session.pytest_report_header():
                reporter.write_line(line)
