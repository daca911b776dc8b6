"""Folders in which the plugin is run, and benches on which rules are."""

from collections.abc import Iterator

import pytest

from conformance.bench import Bench
from conformance.catalogue import Form
from conformance.drive import Probe

from .helpers import probe_of
from .plugin_runs import STANZA


@pytest.fixture
def folder(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A folder whose `pyproject.toml` says how the reference model is built.

    Runs in it load no plugins but those that they name: what else is installed here is not what is tested.
    """
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makepyprojecttoml(STANZA)
    return pytester


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.close()


@pytest.fixture(params=["sync", "async"])
def form(request: pytest.FixtureRequest) -> Form:
    form: Form = request.param
    return form


@pytest.fixture
def probe(bench: Bench, form: Form) -> Iterator[Probe]:
    """A probe of either form; its target cannot be built."""
    made = probe_of(bench, form)
    yield made
    made.finish()
