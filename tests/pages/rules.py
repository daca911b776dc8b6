"""The pages `docs/rules/*.md`: all that is known of each rule."""

import contextlib
import re
from collections.abc import Iterable, Iterator
from typing import Final

from conformance import wording
from conformance.bench import Benches
from conformance.catalogue import Case, Rule, rules
from conformance.item import items
from conformance.judge import Judge
from conformance.session import HIDDEN, hidden
from conformance.target import Target, resolve

from ..broken import BROKEN, BrokenModel
from ..broken.judging import CLEARED, STANZAS, target_of
from ..findings import findings
from .broken import sentence
from .defects import defects

_FAILS: Final = re.compile(r"\n## How it fails\n.*?\n```\n", re.DOTALL)
_AFTER_FAILS: Final = re.compile("\n## (What usually|How to mend|Where)")
_INDEX: Final = """# The catalogue

What a chat model must keep: a page a rule. `conformance rules` prints this list, `conformance explain RULE` a rule.
A MUST fails the run, a SHOULD is told, an INFO is a row of a table.

"""


def index() -> str:
    """The list of all rules, an area after the other."""
    parts = [_INDEX.rstrip("\n")]
    area = ""
    for rule in rules().values():
        if rule.area != area:
            area = rule.area
            parts.append(f"\n## {area}\n\n| rule | level | what must hold |\n|---|---|---|")
        parts.append(f"| [{rule.id}]({rule.id}.md) | {rule.level} | {_cell(rule.statement)} |")
    return "\n".join(parts) + "\n"


def texts(*, failures: bool) -> Iterator[tuple[str, str]]:
    """The page of each rule, by its id; `failures` as in `tests.pages.pages`."""
    target = resolve("tests.reference:ReferenceChat", {}, STANZAS)
    for rule in rules().values():
        yield rule.id, _page(rule, target, _failure(rule) if failures else "")


def without_failure(text: str) -> str:
    """A page without the part that shows how the rule fails, in which ids differ from run to run."""
    return _FAILS.sub("", text)


def with_failure_of(before: str, text: str) -> str:
    """A page that lacks this part, with that of the page as it was before, if it had one."""
    part, place = _FAILS.search(before), _AFTER_FAILS.search(text)
    return f"{text[: place.start()]}{part[0]}{text[place.start() :]}" if part and place else text


def _page(rule: Rule, target: Target, failure: str) -> str:
    forms = ", ".join(f"`{form}`" for form in rule.forms)
    facts = [f"**{rule.level}**", f"forms: {forms}", f"since {rule.since}"]
    facts += [f"needs: {', '.join(f'`{need}`' for need in rule.needs)}"] if rule.needs else []
    facts += [f"after: {', '.join(f'[{root}]({root}.md)' for root in rule.after)}"] if rule.after else []
    parts = [f"# {rule.id}", f"{rule.statement[0].upper()}{rule.statement[1:]}.", " · ".join(facts)]
    parts += _section("What it scripts", _cases(rule.cases(target)))
    parts += _section("How it fails", f"```text\n{failure}\n```" if failure else "")
    parts += _section("What usually breaks it", _ended(rule.hint))
    parts += _section("How to mend it", _ended(rule.mend))
    parts += _section("Where the demand comes from", f"{rule.source}." if rule.source else "")
    parts += _section("What it caught", "\n".join(_caught(rule)))
    return "\n\n".join(parts) + "\n"


def _section(title: str, text: str) -> list[str]:
    return [f"## {title}", text] if text else []


def _ended(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}{'' if text.endswith(('.', '?', '!')) else '.'}" if text else ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _cases(found: Iterable[Case]) -> str:
    rows = []
    for case in found:
        level = f" ({case.level})" if case.level else ""
        why = re.sub("^SHOULD( here)?: ", "", case.why)
        rows += [f"- `{case.name}`{level}{': ' if why else ''}{why}"] if case.name else []
    return "\n".join(["The cases, on the wire of Chat Completions:", "", *rows]) if rows else ""


def _caught(rule: Rule) -> Iterator[str]:
    for model in _models(rule):
        yield f"- the broken model `{model.name.replace(':', '.')}`: {sentence(model)}"
    for defect in (each for found in defects().values() for each in found if rule.id in each.rules):
        yield f"- {defect.package} {defect.affected}: {defect.id} ({defect.thread})"
    for finding in findings():
        if rule.id in finding.rules:
            yield f"- {finding.package} {finding.versions}: {finding.told} ([findings](../findings.md))"


def _models(rule: Rule) -> list[BrokenModel]:
    return [model for model in BROKEN if model.rule == rule.id]


def _failure(rule: Rule) -> str:
    """The text with which the rule rejects the first of its broken models."""
    for model in _models(rule):
        benches = Benches()
        with hidden((*HIDDEN, *CLEARED)), contextlib.closing(benches):
            judge = Judge(benches)
            for item in items(target_of(model.spec)):
                if item.rule.id == rule.id and (result := judge.result(item)).verdict in ("failed", "warned"):
                    return wording.item(item, result)
    return ""
