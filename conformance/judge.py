"""Run one item, a rule on a target in one form and case, and say what became of it."""

import time
import traceback

from . import wording
from .bench import Benches
from .build import TargetError
from .catalogue import MUST
from .drive import Probe
from .item import Item
from .verdict import Broken, NotApplicable, Result, Verdict


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
    benches.give_back(bench, clean=result.verdict in ("passed", "not applicable") and not item.rule.alone)
    return Result(verdict=result.verdict, facts=result.facts, seconds=time.perf_counter() - started)
