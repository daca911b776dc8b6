"""One rule of each area on every class that is installed and has a stanza; those of the extra `released` in .ci/run."""

import gc
import importlib
import os
from collections.abc import Iterator
from typing import Final

import pytest

from conformance.catalogue import rules
from conformance.integrations import environment, shipped

from .broken.judging import verdicts
from .findings import findings

_TRIED: Final = {
    "INVOKE": "INVOKE-01",
    "STREAM": "STREAM-02",
    "TOOL": "TOOL-01",
    "META": "META-01",
    "ASYNC": "ASYNC-02",
    "CANCEL": "CANCEL-03",
    "BATCH": "BATCH-01",
    "EVENTS": "EVENTS-01",
    "BLOCKS": "BLOCKS-01",
    "CALLBACK": "CALLBACK-01",
    "FAULT": "FAULT-04",
    "RETRY": "RETRY-04",
    "SSE": "SSE-06",
    "REQUEST": "REQUEST-01",
    "DEFAULT": "DEFAULT-03",
    "STATE": "STATE-02",
    "SECRET": "SECRET-01",
    "REPLAY": "REPLAY-01",
    "EXPLORE": "EXPLORE-01",
}
"""The rule of each area, which is tried in its first case."""


def _installed() -> Iterator[str]:
    """The specs whose class can be imported."""
    for spec, stanza in shipped().items():
        module, _, name = spec.partition(":")
        try:
            with environment(stanza.lasting):
                getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError):
            continue
        yield spec


def test_each_area_has_its_rule() -> None:
    """None is left out."""
    assert {rule.area for rule in rules().values()} == set(_TRIED)
    assert set(_TRIED.values()) <= set(rules())


@pytest.fixture
def nothing_left() -> Iterator[None]:
    """What a model leaves open is collected where warnings of it are ignored."""
    yield
    gc.collect()


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("spec", list(_installed()))
def test_a_rule_of_each_area_holds(spec: str) -> None:
    """What does not hold is told in docs/findings.md; there is no error of the suite, and all but a few are judged."""
    results = verdicts(spec, without=set(rules()) - set(_TRIED.values()), whole=frozenset())
    broken = {name: result for name, result in results.items() if result.verdict in ("failed", "harness error")}
    package = spec.partition(":")[0].partition(".")[0].replace("_", "-")
    known = {rule for finding in findings() if package in finding.packages for rule in finding.rules}
    untold = {name: result.facts for name, result in broken.items() if "-".join(name.split("-")[:2]) not in known}
    assert not untold
    assert not [name for name, result in broken.items() if result.verdict == "harness error"]
    assert sum(result.verdict == "passed" for result in results.values()) > len(results) / 2


@pytest.mark.skipif("RELEASED" not in os.environ, reason="where the extra `released` is installed, RELEASED=1 says so")
def test_the_extra_is_installed() -> None:
    """At least a class of each package of the extra is tried."""
    assert len({spec.partition(":")[0] for spec in _installed()}) >= 15
