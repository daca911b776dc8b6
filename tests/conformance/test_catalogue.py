"""The catalogue as it stands."""

import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from typing import Any, Final

import pytest
from langchain_core.messages import BaseMessage
from langchain_core.tools import BaseTool

from conformance.catalogue import MUST, Rule, rule, rules
from conformance.item import items
from conformance.target import Target, resolve

AREAS: Final = {
    "INVOKE": 9, "STREAM": 18, "TOOL": 12, "META": 10, "ASYNC": 6, "CANCEL": 9, "BATCH": 9, "EVENTS": 13, "BLOCKS": 8,
    "CALLBACK": 6, "FAULT": 14, "RETRY": 5, "SSE": 26, "REQUEST": 10, "DEFAULT": 5, "STATE": 4, "SECRET": 2,
    "REPLAY": 4, "EXPLORE": 2,
}  # fmt: skip
"""Areas in the order of the catalogue, each with its number of rules."""
SPECS: Final = ("langchain_openai:ChatOpenAI", "langchain_anthropic:ChatAnthropic")
"""One class of each wire."""


@cache
def resolved(spec: str) -> Target:
    return resolve(spec, {}, {})


EACH_RULE = pytest.mark.parametrize("rule", rules().values(), ids=list(rules()))
EACH_WIRE = pytest.mark.parametrize("spec", SPECS)


def test_the_catalogue_is_complete_and_in_order() -> None:
    """Ids run from 01 in each area without holes, the areas one after the other."""
    wanted = [f"{area}-{number:02}" for area, count in AREAS.items() for number in range(1, count + 1)]
    assert list(rules()) == wanted


def test_an_id_is_registered_once() -> None:
    """A second rule of one id is refused, and the first stays."""
    first = rules()["INVOKE-01"]
    with pytest.raises(ValueError, match="rule INVOKE-01 stands twice in the catalogue"):
        rule("INVOKE-01", MUST, "something else")
    assert rules()["INVOKE-01"] is first


def test_the_catalogue_cannot_be_changed_from_outside() -> None:
    """What `rules` gives is a view."""
    with pytest.raises(TypeError):
        rules()["INVOKE-01"] = rules()["INVOKE-02"]  # type: ignore[index]


@EACH_RULE
def test_rules_are_well_formed(rule: Rule) -> None:
    """The id says the area, the statement is one line without a full stop, and each form is an item of its own."""
    assert re.fullmatch(r"[A-Z]+-\d\d", rule.id)
    assert rule.area == rule.id[:-3]
    assert rules()[rule.id] is rule
    assert rule.level in ("MUST", "SHOULD", "INFO")
    assert rule.statement
    assert not rule.statement.endswith(".")
    assert "\n" not in rule.statement + rule.hint
    assert rule.forms
    assert set(rule.forms) <= {"sync", "async"}
    assert len(set(rule.forms)) == len(rule.forms)


@EACH_RULE
def test_no_two_rules_state_the_same(rule: Rule) -> None:
    """Each statement stands once."""
    assert [each.id for each in rules().values() if each.statement == rule.statement] == [rule.id]


@EACH_WIRE
def test_needs_are_known(spec: str) -> None:
    """A target answers each need of each rule: with a reason why it lacks it, or with none."""
    target = resolved(spec)
    told = [target.lacks(need, form) for rule in rules().values() for form in rule.forms for need in rule.needs]
    assert all(reason is None or reason for reason in told)


@EACH_WIRE
def test_cases_are_well_formed(spec: str) -> None:
    """Names can stand in a node id and are unique in their rule; a level of a case's own is lower and has a reason."""
    target = resolved(spec)
    for each in rules().values():
        cases = list(each.cases(target))
        assert cases, each.id
        assert all(re.fullmatch("[a-z0-9-]*", case.name) for case in cases), each.id
        assert max(Counter(case.name for case in cases).values()) == 1, each.id
        assert all(case.name for case in cases) or len(cases) == 1, each.id
        assert all(case.level in (None, "SHOULD", "INFO") for case in cases), each.id
        assert all(case.why for case in cases if case.level), each.id


def parts(value: Any) -> Iterator[Any]:
    """A value and all that it holds, down to dataclasses."""
    yield value
    if isinstance(value, BaseMessage):
        yield from parts(vars(value))
    elif isinstance(value, dict | list | tuple):
        for each in value.values() if isinstance(value, dict) else value:
            yield from parts(each)


@EACH_WIRE
def test_fresh_cases_share_nothing_that_can_change(spec: str) -> None:
    """What a fresh case holds is equal to what the case holds, and its own."""
    for each in rules().values():
        for case in each.cases(resolved(spec)):
            value = case.fresh().value
            assert repr(value) == repr(case.value), each.id
            shared = {id(part) for part in parts(value)} & {id(part) for part in parts(case.value)}
            kept = [part for part in parts(value) if id(part) in shared and not isinstance(part, type)]
            assert not any(isinstance(part, dict | list | BaseMessage | BaseTool) and part for part in kept), each.id


@EACH_WIRE
def test_item_names_are_unique(spec: str) -> None:
    """Rule, form and case name one item, in letters that `-k` and a shell take as they are."""
    names = [item.name for item in items(resolved(spec))]
    assert max(Counter(names).values()) == 1
    assert all(re.fullmatch("[A-Za-z0-9-]+", name) for name in names)


@EACH_WIRE
def test_items_stand_in_the_order_of_the_catalogue(spec: str) -> None:
    """Rule by rule, in each rule case by case, in each case form by form."""
    target = resolved(spec)
    wanted = [
        (rule.id, case.name, form) for rule in rules().values() for case in rule.cases(target) for form in rule.forms
    ]
    assert [(item.rule.id, item.case.name, item.form) for item in items(target)] == wanted
