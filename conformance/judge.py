"""Run one item, a rule on a target in one form and case, and say what became of it."""

import time
import traceback

from . import wording
from .bench import Benches
from .build import TargetError
from .catalogue import MUST, rules
from .drive import Probe
from .item import Item
from .verdict import Broken, NotApplicable, Result, Verdict


class Judge:
    """Judges items on one set of benches.

    The roots of a rule (`Rule.after`) are judged when the first item needs them, and kept; so what is blocked does
    not hang on the order of items, nor on which of several processes runs them.
    """

    def __init__(self, benches: Benches) -> None:
        self._benches = benches
        self._roots: dict[tuple[str, str], Result] = {}

    def result(self, item: Item) -> Result:
        """The verdict on one item."""
        for root in item.rule.after:
            if broken := self._broken(item, root):
                return Result(verdict="blocked", facts=(("reason", f"blocked: {broken} fails"),))
        return self._roots.get((item.target.label, item.name)) or judge(item, self._benches)

    def _broken(self, item: Item, root: str) -> str | None:
        """The id of the rule whose failure keeps this root from holding."""
        rule = rules()[root]
        case = next(iter(rule.cases(item.target)))
        form = item.form if item.form in rule.forms else rule.forms[0]
        basic = Item(item.target, rule, form, case)
        key = item.target.label, basic.name
        if key not in self._roots:
            self._roots[key] = self.result(basic)
        result = self._roots[key]
        if result.verdict == "blocked":
            return next(broken for each in rule.after if (broken := self._broken(basic, each)))
        return root if result.verdict == "failed" else None


def judge(item: Item, benches: Benches) -> Result:
    """The verdict on one item by itself."""
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
    except (Broken, TargetError) as error:
        broken = error if isinstance(error, Broken) else Broken("the model can be built", str(error))
        verdict: Verdict = "failed" if item.level == MUST else "warned"
        result = Result(verdict=verdict, facts=wording.facts(item, probe, broken))
    except Exception:
        result = Result(verdict="harness error", facts=(("error", traceback.format_exc()),))
    if bench.server.errors:
        told = "".join(traceback.format_exception(bench.server.errors[0]))
        result = Result(verdict="harness error", facts=(("server", told),))
    probe.finish()
    is_clean = result.verdict in ("passed", "not applicable") and not probe.goes_on
    benches.give_back(bench, clean=is_clean and not item.rule.alone)
    return Result(verdict=result.verdict, facts=result.facts, seconds=time.perf_counter() - started)
