"""The pytest plugin's light half: options and fixtures. pytest imports it in every run of every project.

The other half, `conformance.session`, and with it langchain-core and aiohttp, is imported when `--chat-model` is given
or a fixture is used.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from . import hooks
from .catalogue import LEVELS, REVISIONS
from .collector import pause
from .explore.exploring import ASKED, FOLDER
from .marker import SIGNATURE, CassetteMarker
from .spread import Controller, waits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from langchain_core.language_models import BaseChatModel

    from mockserver import Server

    from .target import Target


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    pluginmanager.add_hookspecs(hooks)


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("conformance", "conformance of chat models")
    group.addoption(
        "--chat-model",
        action="append",
        default=[],
        metavar="MODULE:NAME",
        help="run the conformance rules on this chat model: a class, a factory (called with the URL of the mock "
        "server) or an instance; may be repeated",
    )
    group.addoption(
        "--chat-model-kwargs",
        metavar="JSON",
        help="constructor arguments for --chat-model, as a JSON object",
    )
    group.addoption(
        "--cassette",
        action="append",
        default=[],
        metavar="PATH",
        help="run the rules of REPLAY alone, on the recorded answers in this cassette (vcrpy's YAML) or in all of a "
        "folder; may be repeated",
    )

    group.addoption(
        "--conformance-report",
        action="append",
        default=[],
        metavar="FILE",
        help="write the result of the run: for people to FILE.html, for machines to FILE.json; may be repeated; "
        "docs/reports.md",
    )

    group.addoption(
        "--conformance-transcripts",
        action="store_true",
        help="compare what the model emits for a handful of scripts with what is kept in __transcripts__, where "
        "--snapshot-update keeps it; docs/reports.md",
    )

    _choosing(group)
    _exploring(group)


def _exploring(group: pytest.OptionGroup) -> None:
    """The options that say what is generated."""
    group.addoption(
        "--explore",
        nargs="?",
        type=int,
        const=ASKED,
        metavar="N",
        help=f"run the rules of EXPLORE alone, each on so many generated examples ({ASKED} where no number is said)",
    )
    group.addoption(
        "--explore-seed",
        type=int,
        default=0,
        metavar="SEED",
        help="draw other examples; those of one seed are the same",
    )
    group.addoption(
        "--explore-seconds",
        type=float,
        metavar="SECONDS",
        help="explore for so long at most, and without --explore=N for that long, shared by the items of EXPLORE",
    )
    group.addoption(
        "--explore-folder",
        default=FOLDER,
        metavar="FOLDER",
        help=f"write the scripts of what is found here ({FOLDER})",
    )
    group.addoption(
        "--script",
        action="append",
        default=[],
        metavar="FILE",
        help="try the replies of this script (YAML), such as --explore writes, and nothing else; may be repeated",
    )


def _choosing(group: pytest.OptionGroup) -> None:
    """The options that say which rules run, and what their verdicts count for."""
    group.addoption(
        "--conformance-select",
        action="append",
        default=[],
        metavar="WORDS",
        help="run these rules, areas or levels alone: TOOL,STREAM-08; may be repeated",
    )
    group.addoption(
        "--conformance-ignore",
        action="append",
        default=[],
        metavar="WORDS",
        help="leave these rules, areas or levels out; may be repeated",
    )
    group.addoption(
        "--conformance-level",
        choices=LEVELS,
        default=LEVELS[-1],
        help="leave rules below this level out: MUST runs those alone",
    )
    group.addoption(
        "--conformance-baseline",
        metavar="FILE",
        help="known failures (TOML, each with its reason) do not fail the run; those that pass do",
    )
    group.addoption(
        "--conformance-update-baseline",
        action="store_true",
        help="write what fails to the baseline, and take out what passes; reasons are kept",
    )
    group.addoption(
        "--conformance-rules",
        choices=REVISIONS,
        default=REVISIONS[-1],
        metavar="REVISION",
        help="hold to this revision of the catalogue: rules that are newer run and are shown, and do not fail the run "
        f"(known: {', '.join(REVISIONS)})",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "conformance(rule, level, area): an item of the conformance suite")
    config.addinivalue_line("markers", f"{SIGNATURE}: record the requests of the test, or play them from the file")
    config.pluginmanager.register(CassetteMarker(), "conformance-cassette")
    if config.getoption("--chat-model"):
        _judge_by(config)
    elif config.getoption("--chat-model-kwargs") is not None:
        raise pytest.UsageError("--chat-model-kwargs goes with --chat-model")
    elif config.getoption("--cassette"):
        raise pytest.UsageError("--cassette goes with --chat-model")
    elif config.getoption("--explore") is not None or config.getoption("--explore-seconds") is not None:
        raise pytest.UsageError("--explore goes with --chat-model")
    elif config.getoption("--script"):
        raise pytest.UsageError("--script goes with --chat-model")
    elif config.getoption("--conformance-transcripts"):
        raise pytest.UsageError("--conformance-transcripts goes with --chat-model")
    if config.getoption("--conformance-report"):
        from .reports.report import register  # noqa: PLC0415 - not in runs without a report

        register(config)


def _judge_by(config: pytest.Config) -> None:
    """Have the rules run."""
    pause(config)
    from .offline import Offline  # noqa: PLC0415 - not in runs without a model

    config.pluginmanager.register(Offline(config), "conformance-offline")
    if waits(config):
        config.pluginmanager.register(Controller(config), "conformance-controller")
    else:
        from .session import Session  # noqa: PLC0415

        config.pluginmanager.register(Session(config), "conformance-session")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "chat_model_target" in metafunc.fixturenames and metafunc.config.getoption("--chat-model"):
        from .session import targets  # noqa: PLC0415

        found = targets(metafunc.config)
        metafunc.parametrize("chat_model_target", found, ids=[each.label for each in found], indirect=True)


@pytest.fixture
def mock_server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A mock provider on a free loopback port; ``mock_server.play(...)`` scripts it.

    It speaks TLS where the test asks for a `chat_model` that takes nothing else.
    """
    from mockserver import MockServerError  # noqa: PLC0415

    from .serving import serving, trusted  # noqa: PLC0415

    options = {}
    if "chat_model" in request.fixturenames:
        stanza = request.getfixturevalue("chat_model_target").stanza
        options = {"tls": stanza.tls, "asides": stanza.asides}
    with ExitStack() as running:
        try:
            server = running.enter_context(serving(**options))
        except MockServerError as error:
            pytest.fail(str(error), pytrace=False)
        running.enter_context(trusted(server))
        yield server


@pytest.fixture
def chat_model_target(request: pytest.FixtureRequest) -> Target:
    """The model that `--chat-model` names, which can be built with ``target.build(url)``."""
    if not hasattr(request, "param"):
        pytest.fail("this test needs a model: pytest --chat-model=package.module:Class …", pytrace=False)
    target: Target = request.param
    return target


@pytest.fixture
def chat_model(chat_model_target: Target, mock_server: Server) -> BaseChatModel:
    """An instance of the model that `--chat-model` names, aimed at `mock_server`."""
    return chat_model_target.build(mock_server.url)
