"""Run one item, a rule on a target in one form and case, and say what became of it."""

import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass

from . import wording
from .bench import Benches
from .catalogue import SHOULD, Case, Form, Level, Rule, rules
from .drive import Probe
from .target import Target, TargetError
from .verdict import Broken, NotApplicable, Result, Verdict


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
    def level(self) -> Level:
        return self.case.level or self.rule.level


def items(target: Target) -> Iterator[Item]:
    """All items for a target, in the order of the catalogue."""
    for rule in rules().values():
        for case in rule.cases(target):
            for form in rule.forms:
                yield Item(target, rule, form, case)


def judge(item: Item, benches: Benches) -> Result:
    """The verdict on one item."""
    started = time.perf_counter()
    for need in item.rule.needs:
        if reason := item.target.lacks(need, item.form):
            return Result(verdict="not applicable", facts=(("reason", reason),))
    bench = benches.take(alone=item.rule.alone)
    probe = Probe(item.target, item.form, bench)
    probe.play()
    try:
        item.rule.check(probe, item.case)
        result = Result(verdict="passed", facts=(("note", probe.note),) if probe.note else ())
    except NotApplicable as reason:
        result = Result(verdict="not applicable", facts=(("reason", reason.reason),))
    except Broken as broken:
        verdict: Verdict = "warned" if item.level == SHOULD else "failed"
        result = Result(verdict=verdict, facts=wording.facts(item, probe, broken))
    except TargetError as error:
        result = Result(verdict="failed", facts=(("expected", "the model can be built"), ("observed", str(error))))
    except Exception:
        result = Result(verdict="harness error", facts=(("error", traceback.format_exc()),))
    if bench.server.errors:
        told = "".join(traceback.format_exception(bench.server.errors[0]))
        result = Result(verdict="harness error", facts=(("server", told),))
    probe.finish()
    benches.give_back(bench, clean=result.verdict in ("passed", "not applicable") and not item.rule.alone)
    return Result(verdict=result.verdict, facts=result.facts, seconds=time.perf_counter() - started)
