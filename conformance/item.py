"""The items of the suite: each rule in each of its forms and cases."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from .catalogue import REVISIONS, Case, Form, Level, Rule, rules
from .target import Target

REPLAY: Final = "REPLAY"
"""The area of the rules that play recorded answers."""


@dataclass(frozen=True)
class Item:
    """One cell of the suite: what is tested, by which rule, in which form and case."""

    target: Target
    rule: Rule
    form: Form
    case: Case

    @property
    def name(self) -> str:
        """``STREAM-08-async`` or ``STREAM-08-async-repeated``."""
        return "-".join(part for part in (self.rule.id, self.form, self.case.name) if part)

    @property
    def situation(self) -> str:
        """The name without the rule: ``async-repeated``."""
        return self.name.removeprefix(f"{self.rule.id}-")

    @property
    def level(self) -> Level:
        return self.case.level or self.rule.level

    def is_newer(self, revision: str) -> bool:
        """Whether the rule or the case first stood after this revision of the catalogue."""
        return max(REVISIONS.index(since) for since in (self.rule.since, self.case.since)) > REVISIONS.index(revision)


def items(target: Target) -> Iterator[Item]:
    """All items for a target, in the order of the catalogue; those of REPLAY, where its client takes no URL."""
    for rule in rules().values():
        if target.stanza.in_process and rule.area != REPLAY:
            continue
        for case in rule.cases(target):
            for form in rule.forms:
                yield Item(target, rule, form, case)
