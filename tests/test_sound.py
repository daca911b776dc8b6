"""No rule blames a right model: each right variation keeps all rules that apply to it.

Variations are tried on all cases of STREAM, META and BLOCKS, and released packages on those of META and BLOCKS and of
the rules that they are known to break; elsewhere the first case of each rule stands for the others. `--whole-matrix`
tries all on all. STREAM-16 and STREAM-17 measure time; they run on the reference and on one variation.
"""

import json
from typing import Final

import pytest

from conformance.catalogue import rules
from conformance.integrations import Stanza

from .broken.judging import AS_ITEMS, SLOW, STANZAS, verdicts
from .sound import SOUND, SoundModel

pytestmark = AS_ITEMS


def _name(model: SoundModel) -> str:
    kwargs = f"-{json.dumps(dict(model.kwargs))}" if model.kwargs else ""
    return f"{model.spec.partition(':')[2]}{kwargs}"


_AREAS: Final = ("STREAM", "META", "BLOCKS")
_AREAS_RELEASED: Final = ("META", "BLOCKS")


@pytest.mark.parametrize("model", SOUND, ids=_name)
def test_model_keeps_all_rules(model: SoundModel, pytestconfig: pytest.Config) -> None:
    """Every item passes or does not apply; released packages break what is known of them, and nothing more."""
    results = verdicts(
        model.spec,
        without=frozenset() if model.slow else SLOW,
        whole=None if pytestconfig.getoption("--whole-matrix") else _whole(model),
        kwargs=model.kwargs,
        stanzas=_stanzas(model),
    )
    wrong = {name: each for name, each in results.items() if each.verdict not in ("passed", "not applicable")}
    broken = {"-".join(name.split("-")[:2]) for name, each in wrong.items() if each.verdict != "blocked"}
    told = [f"{name}: {each.verdict} {each.facts[:2]}" for name, each in wrong.items()]
    assert broken - model.perhaps == model.known, "\n".join(told)


def _whole(model: SoundModel) -> frozenset[str]:
    """The rules that are tried in all their cases."""
    areas = _AREAS_RELEASED if model.released else _AREAS
    return model.known.union(id for id, rule in rules().items() if rule.area in areas)


def _stanzas(model: SoundModel) -> dict[str, Stanza]:
    """How the model is built: as the reference is, with what it lacks."""
    reference = STANZAS["tests.reference:ReferenceChat"]
    own = Stanza(wire=reference.wire, kwargs=reference.kwargs, lacks=model.lacks)
    return {**STANZAS, model.spec: own} if model.lacks else STANZAS


def test_models_are_declared_once() -> None:
    """The table has one line for each model and its arguments."""
    assert len({_name(model) + model.spec for model in SOUND}) == len(SOUND)


@pytest.mark.parametrize("model", SOUND, ids=_name)
def test_a_sentence_says_what_is_right(model: SoundModel) -> None:
    """Each line says in one sentence what differs."""
    assert model.what.endswith(".")
    assert ". " not in model.what
