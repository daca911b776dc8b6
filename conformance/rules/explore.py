"""EXPLORE: generated streams. What is generated, how it is judged and how it shrinks is in `conformance.explore`."""

from collections.abc import Callable, Iterable

from ..catalogue import MUST, Case, rule
from ..drive import Probe
from ..target import Target

_ROOTS = ("INVOKE-01", "STREAM-02")


def _cases(id: str) -> Callable[[Target], Iterable[Case]]:
    """Each wire that the model speaks, or its own where nobody asks for more; or each script to be tried again."""

    def cases(target: Target) -> Iterable[Case]:
        if scripts := target.exploring.scripts:
            return [Case(each.label, each) for each in scripts if each.rule == id]
        is_wide = target.exploring.chosen and id == "EXPLORE-01"
        families = list(target.families) if is_wide else [target.wire.family]
        return [Case(family if len(families) > 1 else "", family) for family in families]

    return cases


@rule(
    "EXPLORE-01",
    MUST,
    "whatever the provider says, and however it is cut and framed, all methods say the same",
    cases=_cases("EXPLORE-01"),
    after=_ROOTS,
    hint="no script stands for this: what is shown is the smallest that was found of its kind",
    mend="play the example (`mockserver serve FILE` or --script=FILE) and mend what loses, adds or changes something",
    source="langchain_core/language_models/chat_models.py: all methods give one answer, the provider's, in other forms",
)
def answers_are_the_replys(probe: Probe, case: Case) -> None:
    from ..explore import subjects  # noqa: PLC0415 - what generates is not imported where nothing is generated

    subjects.explore_replies(probe, case)


@rule(
    "EXPLORE-02",
    MUST,
    "whatever a consumer does in turn, on several streams at once, each stream and call keeps its own answer",
    cases=_cases("EXPLORE-02"),
    after=_ROOTS,
    hint="state that is kept on the instance, or a connection that is left half read, reaches the next call",
    mend="keep what belongs to one call in that call; close what is left early",
    source="langchain_core/runnables/base.py: a Runnable is used by many callers, and each call is its own",
)
def consumers_are_kept_apart(probe: Probe, case: Case) -> None:
    from ..explore import subjects  # noqa: PLC0415 - likewise

    subjects.explore_actions(probe, case)
