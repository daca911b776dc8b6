"""The catalogue: rules register themselves here by their id."""

import importlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
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

_FORMS: Final[Mapping[str, tuple[Form, ...]]] = {"sa": ("sync", "async"), "s": ("sync",), "a": ("async",)}


@dataclass(frozen=True, slots=True)
class Case:
    """One of the situations in which a rule is tried.

    Args:
        name: short and stable; stands in the node id. Empty where a rule has only one.
        value: what the rule needs for it.
        level: where it is lower than the rule's, because not every provider does what the case scripts.
        why: the reason for the lower level, or the source for the case.
    """

    name: str = ""
    value: Any = None
    level: Level | None = None
    why: str = ""


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
    alone: bool = False

    @property
    def area(self) -> str:
        return self.id.partition("-")[0]


_RULES: Final[dict[str, Rule]] = {}


def rule(
    id: str,
    level: Level,
    statement: str,
    *,
    forms: Literal["sa", "s", "a"] = "sa",
    needs: tuple[str, ...] = (),
    cases: Iterable[Case] | Callable[["Target"], Iterable[Case]] = (Case(),),
    hint: str = "",
    alone: bool = False,
) -> Callable[[Check], Check]:
    """Register a check as a rule."""
    if id in _RULES:
        raise ValueError(f"rule {id} stands twice in the catalogue")
    fixed = tuple(cases) if not callable(cases) else ()

    def register(check: Check) -> Check:
        _RULES[id] = Rule(
            id=id,
            level=level,
            statement=statement,
            check=check,
            forms=_FORMS[forms],
            needs=needs,
            cases=cases if callable(cases) else lambda target: fixed,
            hint=hint,
            alone=alone,
        )
        return check

    return register


def rules() -> Mapping[str, Rule]:
    """All rules by id, in the order of the catalogue."""
    importlib.import_module(".rules", __package__)  # registers them
    areas = list(dict.fromkeys(rule.area for rule in _RULES.values()))
    ordered = sorted(_RULES.values(), key=lambda rule: (areas.index(rule.area), rule.id))
    return MappingProxyType({rule.id: rule for rule in ordered})
