"""Run one item, a rule on a target in one form and case, and say what became of it."""

import time
import traceback
from dataclasses import replace
from typing import Final

from mockserver import Unencodable

from . import wording
from .bench import Benches
from .build import TargetError
from .catalogue import MUST, rules
from .collector import held_off, sweep
from .drive import Probe
from .item import Item
from .loopback import attempts
from .serving import trusted
from .timeline import timeline
from .verdict import Broken, NotApplicable, Result, Verdict

_UNKEPT: Final = ("failed", "warned", "harness error")
"""The verdicts that may come of a connection that was kept from leaving."""


class Judge:
    """Judges items on one set of benches.

    The roots of a rule (`Rule.after`) are judged when the first item needs them, and kept; so what is blocked does
    not hang on the order of items, nor on which of several processes runs them.
    """

    def __init__(self, benches: Benches) -> None:
        self._benches = benches
        self.roots: dict[tuple[str, str], Result] = {}
        """The results of roots, by the label of the target and the name of the item."""

    def result(self, item: Item) -> Result:
        """The verdict on one item."""
        for root in item.rule.after:
            if broken := self._broken(item, root):
                return Result(verdict="blocked", facts=(("reason", f"blocked: {broken} fails"),))
        return self.roots.get((item.target.label, item.name)) or judge(item, self._benches)

    def _broken(self, item: Item, root: str) -> str | None:
        """The id of the rule whose failure keeps this root from holding."""
        rule = rules()[root]
        case = next(iter(rule.cases(item.target)))
        form = item.form if item.form in rule.forms else rule.forms[0]
        basic = Item(item.target, rule, form, case)
        key = item.target.label, basic.name
        if key not in self.roots:
            self.roots[key] = self.result(basic)
        result = self.roots[key]
        if result.verdict == "blocked":
            return next(broken for each in rule.after if (broken := self._broken(basic, each)))
        return root if result.verdict == "failed" else None


def _out_of_place(item: Item) -> str | None:
    """Why a rule has nothing to say of a model, as far as that can be told before the model is asked."""
    wrapper = item.target.wrapper
    excuse = wrapper.excuse(item.rule.id) if wrapper else None
    needs = (item.target.lacks(need, item.form) for need in item.rule.needs)
    return f"{item.target.label} gives {excuse}" if excuse else next(filter(None, needs), None)


def _missing(probe: Probe, error: Exception) -> Result | None:
    """What is said where a wrapper has not what chat models have."""
    wrapper = probe.target.wrapper
    reason = wrapper.lacks(error) if wrapper else None
    return _told(f"{probe.target.label} gives {reason}") if reason else None


def _told(reason: str) -> Result:
    return Result(verdict="not applicable", facts=(("reason", reason),))


def _checked(item: Item, probe: Probe) -> Result:
    """The verdict that comes of the rule alone."""
    try:
        with trusted(probe.server):
            item.rule.check(probe, item.case.fresh())
        return Result(verdict="passed", facts=(("note", probe.note),) if probe.note else (), kinds=probe.kinds)
    except NotApplicable as reason:
        return _told(reason.reason)
    except (Broken, TargetError) as error:
        broken = error if isinstance(error, Broken) else Broken("the model can be built", str(error))
        verdict: Verdict = "failed" if item.level == MUST else "warned"
        facts = wording.facts(item, probe, broken)
        return _missing(probe, error) or Result(verdict=verdict, facts=facts, kinds=broken.kinds)
    except Exception as error:
        told = traceback.format_exc()
        return _missing(probe, error) or Result(verdict="harness error", facts=(("error", told),))


@held_off()
def judge(item: Item, benches: Benches) -> Result:
    """The verdict on one item by itself."""
    started = time.perf_counter()
    if reason := _out_of_place(item):
        return _told(reason)
    bench = benches.take(alone=item.rule.alone, tls=item.target.stanza.tls)
    bench.server.answers_beside = item.target.stanza.asides
    probe = Probe(item.target, item.form, bench)
    probe.play()
    known = len(attempts())
    result = _checked(item, probe)
    decided = time.monotonic()
    if bench.server.errors and isinstance(error := bench.server.errors[0], Unencodable):
        # What the provider's protocol cannot say, no model can be judged on.
        result = _told(str(error))
        bench.server.errors.clear()
    elif bench.server.errors:
        told = "".join(traceback.format_exception(bench.server.errors[0]))
        result = Result(verdict="harness error", facts=(("server", told),))
    if result.verdict in _UNKEPT and (left := wording.left(attempts()[known:])):
        result = replace(result, facts=(*result.facts, ("network", left)))
    if result.verdict in _UNKEPT:
        result = replace(result, timeline=timeline(probe.courses, probe.all_exchanges, decided))
    probe.finish()
    sweep()
    is_clean = result.verdict in ("passed", "not applicable") and not probe.goes_on
    benches.give_back(bench, clean=is_clean and not item.rule.alone)
    facts = tuple((label, wording.sayable(text)) for label, text in result.facts)
    return replace(result, facts=facts, seconds=time.perf_counter() - started)
