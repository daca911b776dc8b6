"""What becomes of an item, and why."""

import copy
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from langchain_core.messages import BaseMessage

from conformance.bench import Bench, Benches
from conformance.build import TargetError
from conformance.catalogue import INFO, MUST, SHOULD, Case, Form, Level, Rule
from conformance.drive import Probe
from conformance.integrations import Stanza
from conformance.item import Item, items
from conformance.judge import Judge, judge
from conformance.verdict import Broken, NotApplicable, Result
from mockserver import Asked, Gate, Reply
from tests.broken.judging import STANZAS, target_of
from tests.reference import ReferenceChat

from .helpers import LIMIT, Told, holds, item, post, rule, target

BROKEN = Broken("a parrot", "a goldfish")


@pytest.fixture
def benches() -> Iterator[Benches]:
    made = Benches()
    yield made
    made.close()


def breaks(probe: Probe, case: Case) -> None:
    raise BROKEN


def says_nothing(probe: Probe, case: Case) -> None:
    raise NotApplicable("no parrot")


def is_wrong(probe: Probe, case: Case) -> None:
    raise ZeroDivisionError("a slip of ours")


def cannot_be_built(probe: Probe, case: Case) -> None:
    raise TargetError("m:M cannot be built: the argument 'x' is missing")


def fails_in_the_server(probe: Probe, case: Case) -> None:
    def answer(asked: Asked) -> Reply:
        raise ZeroDivisionError("a slip in a script")

    probe.play(answer)
    assert post(probe.server.url).status_code == 500


def takes_notes(probe: Probe, case: Case) -> None:
    probe.note = f"value {case.value}"


def test_a_rule_that_holds(benches: Benches, form: Form) -> None:
    """Passed, without facts, in some time."""
    result = judge(item(rule(), form=form), benches)
    assert result == Result(verdict="passed")
    assert (result.reason, result.seconds > 0) == ("", True)


def test_what_a_rule_found(benches: Benches) -> None:
    """A rule that holds may note what it saw; its case comes with its value."""
    result = judge(item(rule(takes_notes, level=INFO), case=Case("some", 5)), benches)
    assert result == Result(verdict="passed", facts=(("note", "value 5"),))
    assert result.reason == "value 5"


@pytest.mark.parametrize(
    ("level", "of_case", "verdict"),
    [(MUST, None, "failed"), (SHOULD, None, "warned"), (MUST, SHOULD, "warned"), (MUST, MUST, "failed")],
)
def test_a_rule_that_does_not_hold(benches: Benches, level: Level, of_case: Level | None, verdict: str) -> None:
    """MUST fails and SHOULD warns; the level of the case goes before the rule's."""
    judged = item(rule(breaks, level=level), case=Case("some", level=of_case))
    assert judged.level == (of_case or level)
    result = judge(judged, benches)
    assert result.verdict == verdict
    assert dict(result.facts).items() >= {"expected": "a parrot", "observed": "a goldfish"}.items()


def test_a_need_that_is_lacked(benches: Benches) -> None:
    """Not applicable, with the first reason; the check does not run, and no bench is taken."""
    on = target(stanza=Stanza(lacks=("tools", "stop")))
    result = judge(item(rule(is_wrong, needs=("usage", "stop", "tools")), on=on), benches)
    assert result == Result(verdict="not applicable", facts=(("reason", "Parrot does not claim 'stop'"),))


def test_needs_that_are_met(benches: Benches) -> None:
    """Rules with needs run where the target has them all."""
    assert judge(item(rule(needs=("usage", "stop", "no stream"))), benches).verdict == "passed"


def test_a_rule_that_has_nothing_to_say(benches: Benches) -> None:
    """What it says is the reason."""
    result = judge(item(rule(says_nothing)), benches)
    assert result == Result(verdict="not applicable", facts=(("reason", "no parrot"),))


@pytest.mark.parametrize("level", [MUST, SHOULD])
def test_a_defect_of_a_rule(benches: Benches, level: Level) -> None:
    """An error in the rule itself is never blamed on the model; the traceback is told."""
    result = judge(item(rule(is_wrong, level=level)), benches)
    [(label, text)] = result.facts
    assert (result.verdict, label) == ("harness error", "error")
    assert text.startswith("Traceback")
    assert text.endswith("ZeroDivisionError: a slip of ours\n")
    assert "in is_wrong" in text


@pytest.mark.parametrize("after", [holds, breaks, says_nothing])
def test_a_defect_of_the_server(benches: Benches, after: Any) -> None:
    """An error while the server makes an answer goes before what the rule says."""

    def check(probe: Probe, case: Case) -> None:
        fails_in_the_server(probe, case)
        after(probe, case)

    result = judge(item(rule(check)), benches)
    [(label, text)] = result.facts
    assert (result.verdict, label) == ("harness error", "server")
    assert text.endswith("ZeroDivisionError: a slip in a script\n")


@pytest.mark.parametrize("after", [holds, breaks, is_wrong])
def test_what_the_wire_cannot_say(benches: Benches, after: Any) -> None:
    """A script that the provider's protocol has no place for is not the model's to answer, nor a slip of ours."""

    def check(probe: Probe, case: Case) -> None:
        probe.play(Reply.of("a", finish_reason="pause"))
        assert post(probe.server.url).status_code == 500
        after(probe, case)

    result = judge(item(rule(check)), benches)
    assert result.verdict == "not applicable"
    assert result.reason.startswith("openai-chat has no finish reason 'pause'")


def test_a_model_that_cannot_be_built_for_a_rule(benches: Benches) -> None:
    """Constructor arguments of a rule that the model does not take are the model's failure."""
    result = judge(item(rule(cannot_be_built)), benches)
    assert result.verdict == "failed"
    facts = dict(result.facts)
    assert facts["expected"] == "the model can be built"
    assert facts["observed"] == "m:M cannot be built: the argument 'x' is missing"
    assert "rerun" in facts


def test_errors_of_the_model_are_its_failure(benches: Benches, form: Form) -> None:
    """An error that the model raises while a rule reads is no error of the suite."""

    def check(probe: Probe, case: Case) -> None:
        probe.stream(on=Told("a", ZeroDivisionError("a slip of theirs")))

    result = judge(item(rule(check), form=form), benches)
    assert result.verdict == "failed"
    assert dict(result.facts)["observed"] == "it raised ZeroDivisionError: a slip of theirs"


def test_halves_of_surrogate_pairs_can_be_told(benches: Benches) -> None:
    """What a model makes of them is in the facts as text that UTF-8 can say, for terminals, workers and files."""

    def gives_a_half(probe: Probe, case: Case) -> None:
        raise Broken("a fish \U0001f420", "half a fish \ud83d")

    facts = dict(judge(item(rule(gives_a_half)), benches).facts)
    assert (facts["expected"], facts["observed"]) == ("a fish \U0001f420", "half a fish \\ud83d")


def test_all_facts_of_a_failure(benches: Benches) -> None:
    """Expected and observed, why, the script, what was on the wire, the level's reason, a hint, how to run it again."""

    def check(probe: Probe, case: Case) -> None:
        probe.play(Reply.of("a", "b"))
        post(probe.server.url, stream=True)
        raise Broken("a parrot", "a goldfish", because="it swims", frame="end")

    case = Case("wet", level=SHOULD, why="not every parrot is dry")
    result = judge(item(rule(check, hint="look at its feet"), case=case), benches)
    assert result == Result(
        verdict="warned",
        facts=(
            ("expected", "a parrot"),
            ("observed", "a goldfish"),
            ("because", "it swims"),
            ("script", "openai-chat: text in 2 pieces, finish, usage"),
            ("wire", "5 frames; #5 data: [DONE]"),
            ("level", "not every parrot is dry"),
            ("hint", "look at its feet"),
            ("rerun", "pytest --chat-model=shop.models:Parrot -k STREAM-99-sync-wet"),
        ),
    )


def test_facts_that_are_not_there_are_left_out(benches: Benches) -> None:
    """A rule that plays and asks nothing has no script; a level of the rule's own needs no reason."""
    result = judge(item(rule(breaks), case=Case(why="a source")), benches)
    assert [label for label, _ in result.facts] == ["expected", "observed", "wire", "rerun"]
    assert dict(result.facts)["wire"] == "no request"


@pytest.mark.parametrize(
    ("form", "case", "name"),
    [("sync", "", "STREAM-99-sync"), ("async", "wet", "STREAM-99-async-wet")],
)
def test_names_of_items(form: Form, case: str, name: str) -> None:
    """Rule, form and case."""
    assert item(rule(), form=form, case=Case(case)).name == name


class EmptiesWhatItIsGiven(ReferenceChat):
    """Leaves nothing of the messages that it has sent, and of the mappings that it has bound."""

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Any:
        bound = super().bind_tools(copy.deepcopy(tools), **kwargs)
        for tool in tools:
            if isinstance(tool, dict):
                tool["function"].clear()
        return bound

    def _body(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> Any:
        body = copy.deepcopy(super()._body(messages, *args, **kwargs))
        for message in messages:
            message.content = ""
        return body


@pytest.mark.parametrize("chosen", ["TOOL-09-sync-mapping", "TOOL-09-async-mapping", "INVOKE-07-sync-prompt-value"])
def test_what_a_model_does_to_a_case_reaches_no_other_item(benches: Benches, chosen: str) -> None:
    """An item has the same verdict when it is judged again, by the same cases."""
    spec = f"{__name__}:EmptiesWhatItIsGiven"
    on = target_of(spec, stanzas={spec: STANZAS["tests.reference:ReferenceChat"]})
    [judged] = [each for each in items(on) if each.name == chosen]
    assert [judge(judged, benches).verdict for _ in range(2)] == ["passed", "passed"]


class Judged:
    """Judges items one after the other, and notes the bench of each."""

    def __init__(self, benches: Benches) -> None:
        self._benches = benches
        self.on: list[Bench] = []

    def __call__(self, judged: Item) -> Result:
        def check(probe: Probe, case: Case) -> None:
            self.on.append(probe.bench)
            assert (probe.exchanges, probe.server.script.turns) == ((), ())
            probe.play(Reply.of("a"))
            post(probe.server.url)
            judged.rule.check(probe, case)

        return judge(item(rule(check, alone=judged.rule.alone)), self._benches)


@pytest.mark.parametrize("check", [holds, says_nothing])
def test_clean_items_share_a_bench(benches: Benches, check: Any) -> None:
    """Each item finds an empty script and an empty journal."""
    judged = Judged(benches)
    assert {judged(item(rule(check))).verdict for _ in range(2)} <= {"passed", "not applicable"}
    assert judged.on[0] is judged.on[1]


@pytest.mark.parametrize("check", [breaks, is_wrong, cannot_be_built, fails_in_the_server])
def test_after_a_failure_the_bench_is_new(benches: Benches, check: Any) -> None:
    """What an item leaves behind is not seen by the next."""
    judged = Judged(benches)
    assert judged(item(rule(check))).verdict != "passed"
    assert judged(item(rule())).verdict == "passed"
    assert judged.on[0] is not judged.on[1]


def test_a_rule_that_wants_to_be_alone_is(benches: Benches) -> None:
    """Its bench is new, and not used again."""
    judged = Judged(benches)
    for alone in (False, True, False):
        assert judged(item(rule(alone=alone))).verdict == "passed"
    assert len(set(map(id, judged.on))) == 3


@pytest.mark.parametrize("check", [holds, breaks, is_wrong])
def test_gates_are_open_when_the_item_is_over(benches: Benches, check: Any) -> None:
    """Nothing that a rule has held back is held back for good."""
    gates: list[Gate] = []

    def gated(probe: Probe, case: Case) -> None:
        gates.append(probe.gate())
        check(probe, case)

    judge(item(rule(gated)), benches)
    assert [gate.is_open for gate in gates] == [True]


def test_a_stream_that_is_not_read_out_is_let_go(benches: Benches) -> None:
    """The thread of a stream ends with its item, and leaves the iterator."""
    told = Told("a", "b")

    def check(probe: Probe, case: Case) -> None:
        probe.iterate("stream", "hi", on=told).take(1)

    judge(item(rule(check)), benches)
    (thread, _), *_ = told.places
    thread.join(LIMIT)
    assert not thread.is_alive()
    assert {place for place, _ in told.places} == {thread}
    assert told.left == ["GeneratorExit"]


@pytest.fixture
def catalogue(monkeypatch: pytest.MonkeyPatch) -> dict[str, Rule]:
    """A catalogue of three rules, of which each needs the one before; the check of the first is for a test to set."""
    known = {
        "FLY-01": rule(id="FLY-01", cases=lambda on: (Case("plain"), Case("far")), forms=("sync",)),
        "FLY-02": rule(id="FLY-02", after=("FLY-01",)),
        "FLY-03": rule(id="FLY-03", after=("FLY-02",)),
    }
    monkeypatch.setattr("conformance.judge.rules", lambda: known)
    return known


@pytest.mark.parametrize("id", ["FLY-02", "FLY-03"])
def test_a_failed_root_blocks(benches: Benches, catalogue: dict[str, Rule], id: str, form: Form) -> None:
    """What needs a rule that fails is blocked by that rule, however far below and whichever runs first; the root is
    tried in its first case, in the only form that it has, and once."""
    tried: list[str] = []

    def check(probe: Probe, case: Case) -> None:
        tried.append(f"{case.name}-{probe.form}")
        raise BROKEN

    catalogue["FLY-01"] = rule(check, id="FLY-01", cases=lambda on: (Case("plain"), Case("far")), forms=("sync",))
    judge = Judge(benches)
    results = [judge.result(item(catalogue[id], form=form)) for _ in range(2)]
    assert [(each.verdict, each.reason) for each in results] == [("blocked", "blocked: FLY-01 fails")] * 2
    assert tried == ["plain-sync"]
    judged = judge.result(item(catalogue["FLY-01"], case=Case("plain")))
    assert (judged.verdict, tried) == ("failed", ["plain-sync"])


@pytest.mark.parametrize("verdict", ["passed", "warned", "not applicable"])
def test_other_roots_block_nothing(benches: Benches, catalogue: dict[str, Rule], verdict: str) -> None:
    """A root that holds, that is a SHOULD or that says nothing lets its dependants be judged."""
    check = {"passed": holds, "warned": breaks, "not applicable": says_nothing}[verdict]
    catalogue["FLY-01"] = rule(check, id="FLY-01", level=SHOULD)
    catalogue["FLY-02"] = rule(breaks, id="FLY-02", after=("FLY-01",))
    assert Judge(benches).result(item(catalogue["FLY-02"])).verdict == "failed"
    assert Judge(benches).result(item(catalogue["FLY-01"])).verdict == verdict
