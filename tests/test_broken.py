"""Each rule rejects a model that breaks it, and no model is blamed for more than its defect.

A model is tried on all cases of its rule, on those of the rules that are declared with it until one does not hold, and
with `--whole-matrix` on the first case of all others too, which takes the better part of an hour on two cores.

STREAM-16 and STREAM-17 measure time, the rules of REPLAY judge on recordings what others judge on scripts, and those of
EXPLORE on what is generated; these run on the models that are to break them, and on the reference (`test_reference`).
`test_explore_planted` has the models that are broken where no other rule looks.
"""

import importlib

import pytest

from conformance.catalogue import INFO, rules

from .broken import BROKEN, BrokenModel
from .broken.judging import AS_ITEMS, RECORDED, SLOW, is_broken, verdicts

pytestmark = AS_ITEMS


@pytest.mark.parametrize("model", BROKEN, ids=lambda model: f"{model.rule}-{model.name.partition(':')[2]}")
def test_model_breaks_its_rule_and_no_other(model: BrokenModel, pytestconfig: pytest.Config) -> None:
    """The rules that do not hold on a broken model are its own and those that are declared with it."""
    declared = {model.rule, *model.also}
    others = SLOW | RECORDED if pytestconfig.getoption("--whole-matrix") else frozenset(rules())
    results = verdicts(model.spec, without=others - declared, whole=declared, until_broken=model.also)
    harness = {name: result.reason for name, result in results.items() if result.verdict == "harness error"}
    assert not harness
    broken = {name[: name.index("-", name.index("-") + 1)] for name, each in results.items() if is_broken(each)}
    told = [f"{name}: {each.facts[:2]}" for name, each in results.items() if is_broken(each)]
    assert broken - model.perhaps == {model.rule, *model.also}, "\n".join(told)


def test_a_stream_that_was_left_stops_no_later_call() -> None:
    """Its finalizer wants the lock that a later call holds; that it was left open is told by the rule that says so."""
    told = {"CANCEL-01", "CANCEL-06", "STREAM-13"}
    results = verdicts("tests.broken.cancel:LocksItsPool", without=rules().keys() - told, whole=())
    assert {name for name, result in results.items() if is_broken(result)} == {"CANCEL-01-sync-held"}
    assert len(results) == 6


def test_each_rule_has_a_model_that_breaks_it() -> None:
    """No rule of the catalogue, but for those that only inform, goes untried."""
    judged = {id for id, rule in rules().items() if rule.level != INFO}
    assert judged == {model.rule for model in BROKEN}


def test_declared_rules_exist() -> None:
    """What is declared with a broken model names rules of the catalogue."""
    assert {id for model in BROKEN for id in {*model.also, *model.perhaps}} <= set(rules())


def test_models_are_declared_once() -> None:
    """The table has one line for each model."""
    assert len({model.name for model in BROKEN}) == len(BROKEN)


@pytest.mark.parametrize("model", BROKEN, ids=lambda model: model.name)
def test_a_sentence_says_what_is_wrong(model: BrokenModel) -> None:
    """Each broken model's docstring is one sentence."""
    module, _, name = model.name.partition(":")
    told = getattr(importlib.import_module(f"tests.broken.{module}"), name).__doc__
    assert told
    assert told.endswith(".")
    assert ". " not in told
    assert "\n\n" not in told
