"""RETRY: what is asked again, how often, and when."""

import contextlib
import threading
from collections import Counter
from typing import Any, Final

from langchain_core.messages import BaseMessage
from langchain_core.runnables import Runnable
from langchain_core.runnables.retry import RunnableRetry

from mockserver import Asked, Delivery, Exchange, Fault, Refused, Turn

from ..calls import LIMIT, PATIENCE
from ..catalogue import MUST, SHOULD, Case, rule
from ..compat import misplaces_retried, text_of
from ..drive import PROMPT, Probe
from ..observe import joined, next_text, same_text
from ..verdict import Broken, NotApplicable
from ..wording import brief
from . import scripts
from .fault import MESSAGE, METHODS, ask, frail, needs_stream, refused
from .fault_stream import BREAK, broken_off, gated

_ON: Final = 2
"""Retries that rules turn on; a model that counts attempts then still has one."""


@rule(
    "RETRY-01",
    MUST,
    "retries are bounded by the model's own setting; without any there is one request",
    needs=("retries",),
    cases=(
        Case("none", (0, refused(503))),
        Case("none-broken-off", (0, Turn(reply=scripts.PLAIN, delivery=Delivery(fault=Fault("close", before="head"))))),
        Case("one", (1, refused(503))),
    ),
    hint="retries of the package times retries of its client; a setting that no client ever sees",
    mend="pass the setting to the client that retries, and to one place alone",
    source="langchain-core, docs of chat models: `max_retries` is a standard parameter; langchain-ai/langchain#29843",
)
def retries_are_bounded(probe: Probe, case: Case) -> None:
    retries, answer = case.value
    unit = probe.target.stanza.units.get("retries")
    if retries and unit == "windows":
        raise NotApplicable(f"{probe.target.label} documents its setting as a time, not as a number")
    if not retries and unit == "at-least-one":
        raise NotApplicable(f"{probe.target.label} refuses to be told of no retries")
    model = probe.model(**probe.target.with_settings(retries=retries))
    for method in METHODS:
        probe.play(answer)
        has_ended = ask(probe, method, model).wait(PATIENCE)
        probe.goes_on |= not has_ended
        count, most = len(probe.exchanges), 1 + retries
        if not 1 <= count <= most or not has_ended:
            told = f"{count} requests{'' if has_ended else f' in {PATIENCE:g} s, and it goes on'}"
            wanted = "1 request" if most == 1 else f"at most {most} requests"
            raise Broken(f"{wanted} of {probe.name(method)}, with {'a retry' if retries else 'no retries'}", told)


@rule(
    "RETRY-02",
    MUST,
    "one 429 or 503, then success: the call succeeds when retries are on",
    needs=("retries",),
    cases=(Case("429", 429), Case("503", 503)),
    hint="retries that only lost connections get; retries that only invoke has",
    mend="retry on 408, 429 and 5xx in all four methods, as long as nothing has been given to the caller",
    source="langchain-ai/langchain#36753, langchain-ai/langchain#29843, langchain-ai/langchain-google#172",
)
def retries_succeed(probe: Probe, case: Case) -> None:
    model = probe.model(**probe.target.with_settings(retries=_ON))
    for method in METHODS:
        probe.play(refused(case.value), scripts.PLAIN)
        told = joined(probe.stream(on=model)) if method == "stream" else text_of(probe.invoke(on=model))
        same_text(scripts.PLAIN.text, told)


_PAUSE: Final = 1.0
_SHORTEST: Final = 0.9
"""Seconds; clocks and rounding may take a little of the pause."""
_SAMPLES: Final = 3
"""A pause that a client chooses by chance may be long enough once, but not each time."""


@rule(
    "RETRY-03",
    SHOULD,
    "Retry-After is honoured: the next request comes no sooner",
    forms="a",
    needs=("retries",),
    after=("INVOKE-01", "STREAM-02", "RETRY-02"),
    hint="a provider that says when it has room again blocks who asks sooner",
    mend="wait as long as the header says, and the backoff of your own only where there is none",
    source="RFC 9110, 10.2.3",
)
def pauses_are_kept(probe: Probe, case: Case) -> None:
    # Both forms at once, so that the pause is waited for only once.
    sync = probe.beside("sync")
    first = _FirstFail(Refused(429, MESSAGE, headers={"retry-after": f"{_PAUSE:g}"}))
    probe.play(first)
    model = probe.model(**probe.target.with_settings(retries=_ON))
    forms = {each.name(method): (each, method) for each in (sync, probe) for method in METHODS}
    texts = {f"{name} {number}": form for name, form in forms.items() for number in range(_SAMPLES)}
    calls = [ask(form, method, model, text) for text, (form, method) in texts.items()]
    for call in calls:
        call.value(LIMIT)
    sync.finish()
    for text in texts:
        name = text.partition(" ")[0]
        came = [each for each in probe.exchanges if each.asked and each.asked.text == text]
        if (pause := _pause(came)) < _SHORTEST:
            raise Broken(f"{_PAUSE:g} s between the answer and the next request of {name}", f"{pause:.2f} s")


def _pause(exchanges: list[Exchange]) -> float:
    """Seconds from the end of the first answer to the next request."""
    refused, again, *_ = exchanges
    assert refused.ended_at is not None
    return again.at - refused.ended_at


class _FirstFail:
    """Answers each text of `failing` (all where none is named) with a failure first, and then with itself."""

    def __init__(self, failure: Refused, *failing: str, times: int = 1) -> None:
        self._failure, self._failing, self._times = failure, failing, times
        self._asked: Counter[str] = Counter()
        self._lock = threading.Lock()

    def __call__(self, asked: Asked) -> Any:
        with self._lock:
            self._asked[asked.text] += 1
            fails = (not self._failing or asked.text in self._failing) and self._asked[asked.text] <= self._times
        return self._failure if fails else scripts.echo(asked)


@rule(
    "RETRY-04",
    MUST,
    "there is no retry once a piece was delivered: text never starts again",
    needs=("stream",),
    cases=(Case("reset", "reset"), Case("close", "close"), Case("error")),
    hint="what the consumer has shown cannot be taken back, and the second answer is another one",
    mend="retry only until the first chunk has been given to the caller",
    source="langchain-ai/langchain#34209; anthropics/anthropic-sdk-python#688",
)
def delivered_text_stays(probe: Probe, case: Case) -> None:
    delivery = Delivery(fault=Fault("error", before=BREAK)) if case.name == "error" else gated(probe, case.value)
    model = probe.model(**probe.target.with_settings(retries=_ON))
    # What such a stream raises, and whether, FAULT-03 to FAULT-05 judge: error frames are not documented on each wire.
    with contextlib.suppress(Broken):
        broken_off(probe, delivery, f"{case.name} after two pieces", model)
    if len(probe.exchanges) != 1:
        raise Broken("1 request, since two pieces were delivered", f"{len(probe.exchanges)} requests")


_TEXTS: Final = [f"question {number}" for number in range(4)]
_LOST: Final = 1
_ONCE_LOST: Final = 2


@rule(
    "RETRY-05",
    MUST,
    "with_retry and with_fallbacks keep order, number and streaming",
    cases=(
        Case("retry-invoke"),
        Case("retry-stream"),
        Case("retry-batch"),
        Case("fallback-invoke"),
        Case("fallback-stream"),
        Case("fallback-late"),
        Case("fallback-batch"),
    ),
    hint="results of a second round that are put in the places of the first",
    mend="leave both to langchain-core, or keep each result at the place of its input",
    source="langchain-core, RunnableRetry and RunnableWithFallbacks; langchain-ai/langchain#21326",
)
def wrappers_keep_the_rules(probe: Probe, case: Case) -> None:
    model = frail(probe)
    kind, _, what = case.name.partition("-")
    wrapped: Runnable[Any, Any] = (
        model.with_retry(stop_after_attempt=2, wait_exponential_jitter=False)
        if kind == "retry"
        else model.with_fallbacks([model])
    )
    if what in ("invoke", "batch"):
        _without_own_retries(probe)
    _WRAPPED[what](probe, wrapped, kind)


def _asks_twice_at_most(probe: Probe, wrapped: Runnable[Any, Any], kind: str) -> None:
    probe.play(_FirstFail(refused(503)))
    same_text(scripts.answer_to(PROMPT), text_of(probe.invoke(on=wrapped)))
    probe.play(refused(503))
    probe.call("invoke", PROMPT, on=wrapped).raised("HTTP 503, each time")
    if len(probe.exchanges) != 2:
        raise Broken("2 requests, where both attempts fail", f"{len(probe.exchanges)} requests")


def _without_own_retries(probe: Probe) -> None:
    """Leave out what counts attempts, where a model retries by itself and has no setting that keeps it from that.

    Raises:
        NotApplicable: it does.
    """
    if probe.target.setting("retries") and probe.target.stanza.units.get("retries") != "at-least-one":
        return
    probe.play(refused(503))
    call = probe.call("invoke", PROMPT, on=frail(probe))
    ends = call.wait(PATIENCE)
    probe.goes_on = not ends
    if not ends or len(probe.exchanges) > 1:
        raise NotApplicable(f"{probe.target.label} retries by itself, and has no setting that keeps it from that")


def _streams_on(probe: Probe, wrapped: Runnable[Any, Any], kind: str) -> None:
    """Pieces come one by one: from the model, or from the one that takes its place."""
    gate = probe.gate()
    held = Turn(reply=scripts.PLAIN, delivery=Delivery(gates={1: gate}))
    probe.play(*([refused(503)] if kind == "fallback" else []), held)
    stream = probe.iterate("stream", PROMPT, on=wrapped)
    is_incremental = probe.target.lacks("stream", probe.form) is None
    if is_incremental and not (text := next_text(stream)):
        raise Broken("the first piece, while the second is held back", repr(text))
    gate.open()
    same_text(scripts.PLAIN.text, joined(stream.rest()))


def _starts_no_second(probe: Probe, wrapped: Runnable[Any, Any], kind: str) -> None:
    """A stream that breaks off is not begun again."""
    needs_stream(probe)
    error = Delivery(fault=Fault("close", before=BREAK), gates={BREAK: probe.gate()})
    broken_off(probe, error, "the connection ends after two pieces", wrapped)
    if len(probe.exchanges) != 1:
        raise Broken("1 request, since two pieces were delivered", f"{len(probe.exchanges)} requests")


def _keeps_places(probe: Probe, wrapped: Runnable[Any, Any], kind: str) -> None:
    """Two inputs fail, one of them each time: the others' answers and its error stand where they belong."""
    probe.play(_FirstFail(refused(503), _TEXTS[_ONCE_LOST]))
    # A retry that is not langchain-core's own is to keep places on each of its releases.
    known = misplaces_retried() if type(wrapped) is RunnableRetry else ""
    _in_place(probe.call("batch", _TEXTS, on=wrapped).value(), because=known)
    first = _FirstFail(refused(503), _TEXTS[_ONCE_LOST])
    probe.play(lambda asked: refused(503) if asked.text == _TEXTS[_LOST] else first(asked))
    results = probe.call("batch", _TEXTS, on=wrapped, return_exceptions=True).value()
    if not isinstance(results, list) or len(results) != len(_TEXTS) or not isinstance(results[_LOST], Exception):
        raise Broken(f"{len(_TEXTS)} results, an exception at place {_LOST}", brief(results))
    _in_place(results, but=_LOST, because=known)


def _in_place(results: Any, but: int | None = None, because: str = "") -> None:
    if not isinstance(results, list) or len(results) != len(_TEXTS):
        raise Broken(f"a list of {len(_TEXTS)} results", brief(results))
    for number, (text, result) in enumerate(zip(_TEXTS, results, strict=True)):
        if number == but:
            continue
        if not isinstance(result, BaseMessage) or text_of(result) != scripts.answer_to(text):
            raise Broken(f"{scripts.answer_to(text)!r} at place {number}", brief(result), because)


_WRAPPED: Final = {
    "invoke": _asks_twice_at_most,
    "stream": _streams_on,
    "late": _starts_no_second,
    "batch": _keeps_places,
}
