"""Exploring finds defects that no written rule names, shrinks what shows them, and tells two of them apart.

What is generated is drawn from a seed: the numbers of examples here are those that are needed, and some more.
"""

import contextlib
import importlib
import warnings
from collections.abc import Iterator
from typing import Final, Literal, TypeVar

import pytest

from conformance.bench import Benches
from conformance.drive import Probe
from conformance.explore.actions import Action, Misstep, Walk, alone, sequences
from conformance.explore.answers import Asker
from conformance.explore.deliveries import examples
from conformance.explore.example import Example
from conformance.explore.oracle import Difference
from conformance.explore.replies import Shapes
from conformance.explore.search import Budget, Found, Search
from conformance.explore.simpler import simpler_examples, simpler_steps
from conformance.session import HIDDEN, hidden

from .broken.explore import MISLED, PLANTED, Misled, Planted
from .broken.judging import AS_ITEMS, CLEARED, target_of

pytestmark = AS_ITEMS

E = TypeVar("E")
D = TypeVar("D")
_EXAMPLES: Final = 1000
_SEQUENCES: Final = 500


@contextlib.contextmanager
def _probe(spec: str, form: Literal["sync", "async"]) -> Iterator[Probe]:
    benches = Benches()
    with hidden((*HIDDEN, *CLEARED)), contextlib.closing(benches), warnings.catch_warnings():
        yield Probe(target_of(spec), form, benches.take(alone=True))


def _differing(spec: str, *, known: str = "") -> tuple[list[Found[Example, Difference]], int]:
    """What is found of a model's answers beside the facet that is known, and how many examples were tried for it."""
    with _probe(spec, "sync") as probe:
        shapes = Shapes(probe.wire)
        asker = Asker(probe, shapes)
        search: Search[Example, Difference] = Search(
            lambda example: next((each for each in asker.untold(example) if each.facet != known), None),
            lambda difference: difference.key,
            simpler=simpler_examples(shapes),
        )
        return search.run(examples(shapes), Budget(examples=_EXAMPLES, one=True)), search.tried


@pytest.mark.parametrize("model", PLANTED, ids=lambda model: model.name)
def test_defect_is_found_and_made_small(model: Planted) -> None:
    """The smallest example shows what the defect spoils, in no more pieces than it takes, and sent plainly."""
    found, tried = _differing(model.spec)
    assert found, tried
    [each] = found
    assert _facet(each) == model.facet
    assert each.example.reply.piece_count <= model.pieces <= 5
    plain = Example(each.example.reply).describe()
    assert each.example.describe() == ", ".join([plain, model.delivery] if model.delivery else [plain])


def _facet(found: Found[Example, Difference]) -> str:
    return found.failure.facet.removesuffix(" of chunks")


def test_two_defects_are_told_apart() -> None:
    """A model with two defects shows one by an example that does not show the other, and that once it is known."""
    spec = "tests.broken.explore.calls:LosesSpaceAndCalls"
    [[first], _] = _differing(spec)
    [[second], _] = _differing(spec, known=_facet(first))
    by_facet = {_facet(each): each.example for each in (first, second)}
    assert by_facet.keys() == {"text", "calls"}
    assert by_facet["text"].reply.text.isspace()
    assert by_facet["text"].reply.tool_calls == ()
    assert by_facet["calls"].reply.text == ""


def test_the_same_seed_finds_the_same() -> None:
    """What is found, and after how many examples, is the same each time."""
    spec = "tests.broken.explore.text:EmptiesWhiteSpace"
    assert _differing(spec) == _differing(spec)


def _misled(model: Misled) -> tuple[list[Found[tuple[Action, ...], Misstep]], int]:
    with _probe(model.spec, "async" if model.is_async else "sync") as probe:
        search: Search[tuple[Action, ...], Misstep] = Search(
            Walk(probe).judge, lambda misstep: misstep.key, simpler=simpler_steps
        )
        return search.run(sequences(alone(probe)), Budget(examples=_SEQUENCES, one=True)), search.tried


@pytest.mark.parametrize("model", MISLED, ids=lambda model: model.name)
def test_steps_that_mislead_are_found_and_made_short(model: Misled) -> None:
    """One of the shortest sequences of steps shows what no longer holds, in no more steps than it takes."""
    found, tried = _misled(model)
    assert found, tried
    assert found[0].failure.invariant in model.invariant.split("; ")
    assert len(found[0].example) <= model.actions


@pytest.mark.parametrize("model", [*PLANTED, *MISLED], ids=lambda model: model.name)
def test_a_sentence_says_what_is_wrong(model: Planted | Misled) -> None:
    """Each model's docstring is one sentence."""
    module, _, name = model.name.partition(":")
    told = getattr(importlib.import_module(f"tests.broken.explore.{module}"), name).__doc__
    assert told.endswith(".")
    assert ". " not in told
    assert "\n\n" not in told
