"""FAULT: what a failure leaves behind, what it shows, and what it is called."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from mockserver import Delivery, Edit, Fault, Turn

from ..calls import PATIENCE, Call
from ..catalogue import MUST, SHOULD, Case, rule
from ..compat import text_of
from ..drive import PROMPT, Probe
from ..errors import report
from ..integrations import KEY
from ..observe import joined, same_text
from ..target import Target
from ..verdict import Broken, NotApplicable
from ..wording import describe_error
from . import scripts
from .fault import METHODS, ask, ends, frail, refused
from .fault_connection import TIMEOUT, nobody
from .fault_stream import BREAK


def _broken(delivery: Delivery) -> Turn:
    return Turn(reply=scripts.PLAIN, delivery=delivery)


_FAULTS: Final = {
    "refused": Turn(error=refused(400)),
    "failed": Turn(error=refused(503)),
    "error-frame": _broken(Delivery(fault=Fault("error", before=BREAK))),
    "reset": _broken(Delivery(fault=Fault("reset", before=BREAK))),
    "closed": _broken(Delivery(fault=Fault("close", before=BREAK))),
    "malformed": _broken(Delivery(edits=(Edit("malform", at=1),))),
    "html": _broken(Delivery(fault=Fault("html", before="head"))),
}
_STALLED: Final = _broken(Delivery(fault=Fault("stall", before=BREAK)))
_TRIES: Final = 3


def _faults(target: Target) -> Iterator[Case]:
    for name, turn in _FAULTS.items():
        yield Case(name, turn)
    if target.setting("timeout"):
        yield Case("timeout", _STALLED)


@rule(
    "FAULT-11",
    MUST,
    "after a failure the same instance answers the next call",
    cases=_faults,
    hint="a client that is closed with its error, a connection that goes back into the pool half read",
    mend="keep no state of a call on the instance, and let go of the connection of a call that fails",
    source="langchain-core, BaseChatModel: what one call does must not be seen in another",
)
def instance_answers_again(probe: Probe, case: Case) -> None:
    is_timed = case.name == "timeout"
    model = frail(probe, timeout=TIMEOUT) if is_timed else frail(probe)
    # Those that meet their timeout do so at once, so that it is waited for only once.
    for methods in [METHODS] if is_timed else [[method] for method in METHODS]:
        probe.play(lambda asked: case.value if asked.text == PROMPT else scripts.FIVE)
        # Whether they fail as they must is for the other rules of this area.
        for failing in [ask(probe, method, model) for method in methods]:
            _ended(probe, failing)
        for method in methods:
            _answers(probe, method, model, _TRIES if is_timed else 1)


def _ended(probe: Probe, call: Call[Any]) -> None:
    """Wait for the end of a call, whatever it is.

    Raises:
        NotApplicable: it goes on for too long.
    """
    if not ends(probe, call):
        probe.goes_on = True
        raise NotApplicable(f"{call.name} has not ended after {PATIENCE:g} s or many requests")


def _answers(probe: Probe, method: str, model: Any, tries: int) -> None:
    """The next call is answered; a slow machine may need more than a short timeout for that, once or twice."""
    for left in reversed(range(tries)):
        try:
            same_text(scripts.FIVE.text, _answer(probe, method, model))
            break
        except Broken:
            if not left:
                raise


def _answer(probe: Probe, method: str, model: Any) -> str:
    if method == "stream":
        return joined(probe.stream("Again", on=model))
    return text_of(probe.invoke("Again", on=model))


class _Lines(logging.Handler):
    """Keeps all that is logged, with the level and the name of who logs."""

    def __init__(self) -> None:
        super().__init__(logging.NOTSET)
        self.kept: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.kept.append(record)


@contextmanager
def _logged() -> Iterator[_Lines]:
    """All that loggers say meanwhile, at every level."""
    root, lines = logging.getLogger(), _Lines()
    before = root.level
    root.addHandler(lines)
    root.setLevel(logging.DEBUG)
    try:
        yield lines
    finally:
        root.setLevel(before)
        root.removeHandler(lines)


_SAYS_ALL: Final = "SHOULD: whoever turns on the DEBUG lines of HTTP clients asks for all that goes over the wire"


@rule(
    "FAULT-12",
    MUST,
    "no error text, no repr of an error and no log line carries the API key",
    cases=(
        Case("refused", refused(401)),
        Case("failed", refused(503)),
        Case("broken-off", _FAULTS["reset"]),
        Case("unreachable"),
        Case("debug", refused(401), SHOULD, _SAYS_ALL),
    ),
    hint="errors and logs are sent to services, pasted into threads, shown to users",
    mend="keep the key in a SecretStr, send it in a header, and put neither request headers nor settings into errors",
    source="OWASP Logging Cheat Sheet, data to exclude; openai-python, _utils/_logs.py hides it in its own lines",
)
def key_is_not_told(probe: Probe, case: Case) -> None:
    stanza = probe.target.stanza
    if KEY not in f"{stanza.kwargs}{stanza.env}".replace("{key}", KEY):
        raise NotApplicable(f"{probe.target.label} is built without the suite's key")
    with _logged() as lines:
        errors = [error for call in _failing(probe, case) if (error := call.error()) is not None]
    for error in errors:
        _hides_the_key(report(error), f"the error {type(error).__name__}")
    own = {type(probe.model()).__module__.partition(".")[0], "langchain", "langchain_core"}
    for record in lines.kept:
        if case.name == "debug" or record.levelno >= logging.INFO or record.name.partition(".")[0] in own:
            told = logging.Formatter().format(record)
            _hides_the_key(told, f"a line of the logger {record.name} ({record.levelname})")


def _failing(probe: Probe, case: Case) -> list[Call[Any]]:
    """Calls that fail, once they have."""
    if case.name != "unreachable":
        probe.play(case.value)
        calls = [ask(probe, method, frail(probe)) for method in METHODS]
    else:
        with nobody(probe) as url:
            model = probe.target.build(url, **probe.target.with_settings(retries=0))
            calls = [ask(probe, method, model) for method in METHODS]
            return [call for call in calls if call.wait(PATIENCE)]
    ended = [call for call in calls if call.wait(PATIENCE)]
    probe.goes_on = len(ended) < len(calls)
    return ended


_PUBLIC: Final = f"Credential={KEY}/"
"""An AWS signature names the id of the key, which is no secret; stanzas have one text for both."""


def _hides_the_key(text: str, where: str) -> None:
    text = text.replace(_PUBLIC, "")
    at = text.find(KEY)
    if at >= 0:
        around = text[max(0, at - 60) : at + len(KEY) + 20]
        raise Broken(f"no key in {where}", " ⏎ ".join(around.splitlines()))


@rule(
    "FAULT-13",
    SHOULD,
    "sync and async raise the same type for the same fault",
    forms="a",
    cases=lambda target: [
        *(Case(f"{method}-{name}", (method, _FAULTS[name])) for name in ("refused", "failed") for method in METHODS),
        *(
            Case(f"stream-{name}", ("stream", _FAULTS[name]))
            for name in ("error-frame", "reset", "closed", "malformed")
        ),
        *([Case("invoke-timeout", ("invoke", _STALLED))] if target.setting("timeout") else []),
    ],
    hint="an except clause that works in invoke misses the same fault in ainvoke",
    mend="raise errors of your own from those of the HTTP clients, the same in both forms",
    source="langchain-core, langchain_core.exceptions.ModelError: one hierarchy for callers to catch",
)
def forms_raise_the_same(probe: Probe, case: Case) -> None:
    method, turn = case.value
    sync = probe.beside("sync")
    model = frail(probe, timeout=TIMEOUT) if turn is _STALLED else frail(probe)
    probe.play(turn)
    # Both at once, so that a timeout is waited for only once.
    calls = [ask(each, method, model) for each in (probe, sync)]
    for call in calls:
        _ended(probe, call)
    error, wanted = (call.error() for call in calls)
    sync.finish()
    if error is None and wanted is None:
        raise NotApplicable("neither form raises, which the rule for this fault judges")
    if type(error) is not type(wanted):
        told, expected = ("no error" if each is None else describe_error(each) for each in (error, wanted))
        raise Broken(f"{expected} (as {sync.name(method)})", told)
