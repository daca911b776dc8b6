"""The words that a user reads where a rule does not hold."""

import shlex

import pytest

from conformance import wording
from conformance.catalogue import MUST, SHOULD, Case, Form
from conformance.drive import Probe
from conformance.verdict import Broken, Result
from mockserver import Delivery, Exchange, Fault, Frame, Recording, Refused, Reply, Script, Turn

from .helpers import exchange, item, post, refused_exchange, rule, target

STATEMENT = "parrots repeat what they are told"


def test_a_failure_is_told_in_columns() -> None:
    """Id, level and statement, with the model at the right end; then the facts, with labels as wide as each other."""
    facts = [("expected", "a parrot"), ("because", "it swims"), ("rerun", "pytest")]
    text = wording.failure(rule(statement=STATEMENT), SHOULD, "Parrot · stream", facts)
    gap = " " * (110 - len(f"STREAM-99  SHOULD  {STATEMENT}") - len("Parrot · stream"))
    assert text.splitlines() == [
        f"STREAM-99  SHOULD  {STATEMENT}{gap}Parrot · stream",
        "  expected   a parrot",
        "  because    it swims",
        "  rerun      pytest",
    ]


@pytest.mark.parametrize(
    ("length", "wraps"),
    [(110 - len("STREAM-99  MUST  ") - len("who") - 2, False), (110 - 17 - 3 - 1, True), (200, True)],
)
def test_long_heads_wrap(length: int, *, wraps: bool) -> None:
    """Who failed goes to the next line where both do not fit in one; nothing is cut."""
    statement = "x" * length
    text = wording.failure(rule(statement=statement), MUST, "who", [])
    assert text == f"STREAM-99  MUST  {statement}" + ("\n  who" if wraps else "  who")
    assert wraps or len(text) == 110


def test_facts_of_several_lines_are_indented() -> None:
    """A traceback stands in its column."""
    text = wording.failure(rule(), MUST, "who", [("error", "Traceback:\n  File\nValueError"), ("hint", "no")])
    assert text.splitlines()[1:] == [
        "  error      Traceback:",
        "               File",
        "             ValueError",
        "  hint       no",
    ]


def test_the_text_of_an_item() -> None:
    """Level of the case, label of the model, method of the form."""
    judged = item(rule(), form="async", case=Case("wet", level=SHOULD))
    text = wording.item(judged, Result(verdict="warned", facts=(("expected", "a parrot"),)))
    assert text.split() == [
        *("STREAM-99", "SHOULD", "parrots", "repeat"),
        *("Parrot", "·", "astream"),
        *("expected", "a", "parrot"),
    ]


@pytest.mark.parametrize(
    ("id", "sync", "asynchronous"),
    [
        ("INVOKE-01", "invoke", "ainvoke"),
        ("STREAM-01", "stream", "astream"),
        ("BATCH-01", "batch", "abatch"),
        ("EVENTS-01", "stream_events", "astream_events"),
        ("DEFAULT-01", "stream", "astream"),
        ("ASYNC-01", "sync", "async"),
    ],
)
def test_the_method_of_a_rule(id: str, sync: str, asynchronous: str) -> None:
    """By its area; the areas that are about all methods have only the form."""
    assert wording.method(rule(id=id), "sync") == sync
    assert wording.method(rule(id=id), "async") == asynchronous


@pytest.mark.parametrize(("form", "case", "name"), [("sync", "", "sync"), ("async", "wet", "async-wet")])
def test_how_to_run_an_item_again(form: Form, case: str, name: str) -> None:
    """A line that can be pasted."""
    judged = item(rule(), form=form, case=Case(case))
    assert wording.rerun(judged) == f"pytest --chat-model=shop.models:Parrot -k STREAM-99-{name}"


def test_arguments_are_given_again() -> None:
    """Constructor arguments of the user's are quoted for a shell."""
    judged = item(rule(), on=target(extra={"model": "it's"}))
    words = shlex.split(wording.rerun(judged))
    assert words[1:] == [
        "--chat-model=shop.models:Parrot",
        '--chat-model-kwargs={"model": "it\'s"}',
        *("-k", "STREAM-99-sync"),
    ]


def test_facts_stand_in_order(probe: Probe) -> None:
    """What was expected and seen comes first, how to run it again last; what is not there is left out."""
    probe.play(Reply.of("a"))
    post(probe.server.url, stream=True)
    whole = Broken("a parrot", "a goldfish", because="it swims", frame="end")
    case = Case("wet", level=SHOULD, why="a source")
    told = wording.facts(item(rule(hint="feet"), case=case), probe, whole)
    assert told == (
        ("expected", "a parrot"),
        ("observed", "a goldfish"),
        ("because", "it swims"),
        ("script", "openai-chat: text in 1 piece, finish, usage"),
        ("wire", "4 frames; #4 data: [DONE]"),
        ("level", "a source"),
        ("hint", "feet"),
        ("rerun", "pytest --chat-model=shop.models:Parrot -k STREAM-99-sync-wet"),
    )
    brief = wording.facts(item(rule(), case=Case(why="a source")), probe, Broken("a parrot", "a goldfish"))
    assert [label for label, _ in brief] == ["expected", "observed", "script", "wire", "rerun"]


PLAIN = Turn(reply=Reply.of("a", "b"))
OTHERS = [Turn(error=Refused(status, "no")) for status in (400, 401, 402, 403, 404)]


@pytest.mark.parametrize(
    ("script", "text"),
    [
        (Script([]), ""),
        (Script([PLAIN]), "openai-chat: text in 2 pieces, finish, usage"),
        (Script([PLAIN, PLAIN]), "openai-chat: text in 2 pieces, finish, usage"),
        (Script([OTHERS[0], PLAIN]), "openai-chat: HTTP 400 'no'; then text in 2 pieces, finish, usage"),
        (Script(OTHERS[:3]), "openai-chat: HTTP 400 'no'; then HTTP 401 'no'; then HTTP 402 'no'"),
        (
            Script([Turn(reply=Reply.of("a"), delivery=Delivery(fault=Fault("close", before="end")))]),
            "openai-chat: text in 1 piece, finish, usage; close before the end",
        ),
        (Script([Turn(recording=Recording(200, {}, (), "a.yaml"))]), "openai-chat: 0 recorded frames of a.yaml"),
    ],
)
def test_scripts_are_told_by_their_turns(script: Script, text: str) -> None:
    """Each turn in a few words, those that say the same once."""
    assert wording.script(script, "openai-chat", ()) == text


def test_long_scripts_are_cut() -> None:
    """No more than three turns are told, and how many there are besides."""
    told = wording.script(Script(OTHERS), "openai-chat", ())
    assert told.startswith("openai-chat: HTTP 400 'no'; then HTTP 401 'no'; then HTTP 402 'no'; ")
    assert told.endswith("and 2 more answers")


def test_a_script_that_is_a_function_tells_nothing_of_itself() -> None:
    """Where it was not asked there is nothing to tell."""
    assert wording.script(Script(lambda asked: PLAIN), "openai-chat", (exchange(),)) == ""


FRAMES = (
    Frame(b"data: {}\n\n", "start"),
    Frame(b"event: x\ndata: a\n\n", "piece", 0),
    Frame(b"data: b\n\n", "piece", 1),
    Frame(b"data: " + b"\xc3\xa9" * 80 + b"\n\n", "finish"),
)


@pytest.mark.parametrize(
    ("exchanges", "kind", "text"),
    [
        ((), "", "no request"),
        ((exchange(),), "", "0 frames, open"),
        ((exchange(*FRAMES, written=0),), "", "0 of 4 frames, open"),
        ((exchange(*FRAMES, written=2),), "", "2 of 4 frames, open"),
        ((exchange(FRAMES[0], ended="finished"),), "", "1 frame, finished"),
        ((exchange(*FRAMES, ended="closed by client"),), "", "4 frames, closed by client"),
        ((exchange(*FRAMES, ended="finished"),), "start", "4 frames; #1 data: {}"),
        ((exchange(*FRAMES),), "piece", "4 frames; #2 event: x ⏎ data: a"),
        ((exchange(*FRAMES),), "usage", "4 frames, open"),
        ((exchange(*FRAMES, written=3),), "finish", "3 of 4 frames, open"),
        ((exchange(*FRAMES),), "finish", f"4 frames; #4 data: {'é' * 63}…"),
        ((exchange(*FRAMES, written=1), exchange()), "", "2 requests; the last: 0 frames, open"),
        (
            (exchange(*FRAMES), exchange(FRAMES[1], ended="finished")),
            "piece",
            "2 requests; the last: 1 frame; #1 event: x ⏎ data: a",
        ),
        (
            (refused_exchange("no wire"),),
            "error",
            "#1 POST /v1/chat/completions 404, 1 of 1 frames, refused: no wire",
        ),
        (
            (exchange(*FRAMES), refused_exchange("no wire")),
            "piece",
            "2 requests; the last: #1 POST /v1/chat/completions 404, 1 of 1 frames, refused: no wire",
        ),
        ((exchange(Frame(b"\xff", "piece")),), "piece", "1 frame; #1 \ufffd"),
    ],
)
def test_the_wire_is_told_by_its_last_answer(exchanges: tuple[Exchange, ...], kind: str, text: str) -> None:
    """How many frames were written of how many; the frame that matters, in one line that is cut; or how it ended."""
    assert wording.wire(exchanges, kind) == text


def test_a_function_is_told_by_its_answers() -> None:
    """What was answered stands for a script that is a function; requests without an answer say nothing."""
    function = Script(lambda asked: PLAIN)
    answered = (exchange(turn=OTHERS[0]), exchange(), exchange(turn=PLAIN), exchange(turn=PLAIN))
    told = wording.script(function, "openai-chat", answered)
    assert told == "openai-chat: HTTP 400 'no'; then text in 2 pieces, finish, usage"
    assert wording.script(function, "openai-chat", ()) == ""
