"""The catalogue: rules register themselves here by their id."""

import importlib
from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field, is_dataclass, replace
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

if TYPE_CHECKING:
    from .drive import Probe
    from .target import Target

Level: TypeAlias = Literal["MUST", "SHOULD", "INFO"]
Form: TypeAlias = Literal["sync", "async"]
Check: TypeAlias = Callable[["Probe", "Case"], None]

MUST: Final = "MUST"
SHOULD: Final = "SHOULD"
INFO: Final = "INFO"
LEVELS: Final[tuple[Level, ...]] = (MUST, SHOULD, INFO)
REVISIONS: Final = ("2026.1",)
"""The revisions of the catalogue, oldest first. A user who holds to one is not failed by what came after it."""

_FORMS: Final[Mapping[str, tuple[Form, ...]]] = {"sa": ("sync", "async"), "s": ("sync",), "a": ("async",)}


@dataclass(frozen=True, slots=True)
class Case:
    """One of the situations in which a rule is tried.

    Args:
        name: short and stable; stands in the node id. Empty where a rule has only one.
        value: what the rule needs for it.
        level: where it is lower than the rule's, because not every provider does what the case scripts.
        why: the reason for the lower level, or the source for the case.
        since: the revision in which it first stood, where that is later than the rule's.
    """

    name: str = ""
    value: Any = None
    level: Level | None = None
    why: str = ""
    since: str = REVISIONS[0]

    def fresh(self) -> "Case":
        """The case with a value of its own, so that what a model does to it reaches no other item."""
        return replace(self, value=_fresh(self.value))


def _fresh(value: Any) -> Any:
    """A copy of what a model may be given. Dataclasses stay what they are: they hold scripts, which no model sees."""
    if is_dataclass(value):
        return value
    if isinstance(value, dict):
        return {name: _fresh(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(_fresh, value))
    return deepcopy(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One row of the catalogue.

    Args:
        id: such as ``STREAM-08``; never used again for anything else.
        statement: what must hold.
        check: plays the script, runs the model and raises `Broken` where the rule does not hold.
        forms: the forms in which it runs, each an item of its own.
        needs: capabilities (`Target.lacks` knows them) without which it says nothing.
        cases: the cases for a target.
        hint: what usually breaks it, and what that does to users.
        mend: what to change in a model that breaks it.
        source: where the demand comes from: documentation, code or a thread.
        after: the rules without which this one says nothing new; where the first case of one fails, this is blocked.
        since: the revision of the catalogue in which it first stood.
        alone: whether it needs a server and a loop that no other item has used.
    """

    id: str
    level: Level
    statement: str
    check: Check
    forms: tuple[Form, ...] = ("sync", "async")
    needs: tuple[str, ...] = ()
    cases: Callable[["Target"], Iterable[Case]] = field(default=lambda target: (Case(),))
    hint: str = ""
    mend: str = ""
    source: str = ""
    after: tuple[str, ...] = ()
    since: str = REVISIONS[0]
    alone: bool = False

    @property
    def area(self) -> str:
        return self.id.partition("-")[0]


_RULES: Final[dict[str, Rule]] = {}
_BOTH: Final = ("INVOKE-01", "STREAM-02")
_ROOTS: Final[Mapping[str, tuple[str, ...]]] = {
    "INVOKE": ("INVOKE-01",),
    "STREAM": ("STREAM-02",),
    "TOOL": (*_BOTH, "TOOL-01"),
    "META": _BOTH,
    "ASYNC": _BOTH,
    "CANCEL": ("STREAM-02",),
    "BATCH": ("INVOKE-01",),
    "EVENTS": ("STREAM-02",),
    "BLOCKS": ("STREAM-02", "BLOCKS-01"),
    "CALLBACK": _BOTH,
    "FAULT": _BOTH,
    "RETRY": _BOTH,
    "SSE": ("STREAM-02",),
    "REQUEST": _BOTH,
    "STATE": _BOTH,
}
"""The rules without which those of an area say nothing new: a model that gives no answer breaks them all."""


def rule(
    id: str,
    level: Level,
    statement: str,
    *,
    forms: Literal["sa", "s", "a"] = "sa",
    needs: tuple[str, ...] = (),
    cases: Iterable[Case] | Callable[["Target"], Iterable[Case]] = (Case(),),
    after: tuple[str, ...] | None = None,
    **told: Any,
) -> Callable[[Check], Check]:
    """Register a check as a rule.

    All is as in `Rule`; `told` are its `hint`, `mend`, `source`, `since` and `alone`. Where `after` is left out, it is
    the roots of the rule's area.
    """
    if id in _RULES:
        raise ValueError(f"rule {id} stands twice in the catalogue")
    fixed = tuple(cases) if not callable(cases) else ()
    roots = _ROOTS.get(id.partition("-")[0], ()) if after is None else after

    def register(check: Check) -> Check:
        _RULES[id] = Rule(
            id=id,
            level=level,
            statement=statement,
            check=check,
            forms=_FORMS[forms],
            needs=needs,
            cases=cases if callable(cases) else lambda target: fixed,
            after=tuple(root for root in roots if root != id),
            **told,
        )
        return check

    return register


@cache
def rules() -> Mapping[str, Rule]:
    """All rules by id, in the order of the catalogue."""
    importlib.import_module(".rules", __package__)  # registers them
    areas = list(dict.fromkeys(rule.area for rule in _RULES.values()))
    ordered = sorted(_RULES.values(), key=lambda rule: (areas.index(rule.area), rule.id))
    return MappingProxyType({rule.id: rule for rule in ordered})
