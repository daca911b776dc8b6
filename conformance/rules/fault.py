"""FAULT: HTTP errors, and answers that are none; what the other modules of this area make models fail with."""

import time
from typing import Any, Final

from langchain_core.language_models import BaseChatModel

from mockserver import Delivery, Edit, Fault, Refused, Turn

from ..calls import LIMIT, PATIENCE, Call
from ..catalogue import MUST, Case, rule
from ..drive import PROMPT, Probe
from ..errors import statuses, words
from ..verdict import Broken, NotApplicable
from ..wording import describe_error
from . import scripts

METHODS: Final = ("invoke", "stream")
MESSAGE: Final = "The goldfish are asleep"
"""The provider's words in scripted errors."""
_ENOUGH: Final = 20
"""Requests of one call after which it goes on without an end."""
_LOOK: Final = 0.2
"""Seconds between two looks at how often it has asked."""
AT_ONCE: Final = {"retry-after": "0", "retry-after-ms": "1"}
"""Headers that let a client that retries do so without the pause of its own."""


def refused(status: int) -> Refused:
    """An HTTP error that asks for no pause before it is tried again."""
    return Refused(status, MESSAGE, headers=AT_ONCE)


def frail(probe: Probe, **values: Any) -> BaseChatModel:
    """The model without retries, where it has a setting for them; `values` are further settings."""
    return probe.model(**probe.target.with_settings(retries=0, **values))


def ask(probe: Probe, method: str, on: BaseChatModel, text: str = PROMPT) -> Call[Any]:
    """Start a method and have all that it gives read."""
    return probe.iterate("stream", text, on=on).drain() if method == "stream" else probe.call("invoke", text, on=on)


def needs_stream(probe: Probe) -> None:
    """Leave out a case that is about streams, in a form that has none."""
    if reason := probe.target.lacks("stream", probe.form):
        raise NotApplicable(reason)


def ends(probe: Probe, call: Call[Any]) -> bool:
    """Whether a call ends within `PATIENCE`, or before it has asked so often that more of it would show nothing."""
    ends_by = time.monotonic() + PATIENCE
    while time.monotonic() < ends_by and len(probe.exchanges) <= _ENOUGH:
        if call.wait(_LOOK):
            return True
    return call.wait(0)


def failure(probe: Probe, call: Call[Any], what: str, limit: float = LIMIT) -> Exception:
    """The error of a call that must fail; `what` says why it must.

    Raises:
        Broken: it gives an answer, goes on for longer than `limit` seconds, or raises what `except Exception` misses.
        NotApplicable: it retries for so long that what comes of it is not seen; RETRY-01 judges that.
    """
    if not ends(probe, call):
        if len(probe.exchanges) > 1:
            probe.goes_on = True
            raise NotApplicable(f"{call.name} still retries after {len(probe.exchanges)} requests ({what})")
        if not call.wait(limit - PATIENCE):
            raise Broken(f"{call.name} raises ({what})", f"it has not ended after {limit:g} s")
    error = call.raised(what)
    if not isinstance(error, Exception):
        raise Broken(f"{call.name} raises an Exception ({what})", describe_error(error))
    return error


@rule(
    "FAULT-01",
    MUST,
    "HTTP 400, 401, 403, 404, 413 and 422 raise, unretried; the error has the status and the provider's words",
    cases=[Case(str(status), status) for status in (400, 401, 403, 404, 413, 422)],
    hint="without the provider's words nobody finds out what is wrong with a request",
    mend="read the body of a streamed answer before raising for its status, and put status and body into the error",
    source="langchain-ai/langchain#20555; RFC 9110, 15.5: the request is at fault, so that it fails again",
)
def refusals_raise(probe: Probe, case: Case) -> None:
    answer = Refused(case.value, MESSAGE)
    for method in METHODS:
        probe.play(answer)
        what = f"HTTP {case.value}"
        error = failure(probe, ask(probe, method, probe.model()), what)
        if len(probe.exchanges) != 1:
            raise Broken(f"1 request of {probe.name(method)}, as it fails again", f"{len(probe.exchanges)} requests")
        if case.value not in statuses(error):
            raise Broken(f"the status {case.value} in the error of {probe.name(method)}", describe_error(error))
        if MESSAGE.encode() in probe.wire.error(answer) and MESSAGE not in words(error):
            raise Broken(f"{MESSAGE!r} in the error of {probe.name(method)}", describe_error(error))


@rule(
    "FAULT-02",
    MUST,
    "HTTP 429, 500, 502, 503 and 529 that persist raise in the end",
    cases=[Case(str(status), status) for status in (429, 500, 502, 503, 529)],
    hint="an answer that is empty for want of one passes for an answer",
    mend="raise for each status from 400 on, once there is no retry left",
    source="RFC 9110, 15.6; Anthropic's 529 is overloaded_error (https://platform.claude.com/docs/en/api/errors)",
)
def failures_raise(probe: Probe, case: Case) -> None:
    for method in METHODS:
        probe.play(refused(case.value))
        failure(probe, ask(probe, method, frail(probe)), f"HTTP {case.value}, each time")


_NO_ANSWERS: Final = {
    "empty": (METHODS, Delivery(fault=Fault("stop", before="head"))),
    "error": (METHODS, Delivery(fault=Fault("error", before="head", message=MESSAGE, status=200))),
    "html": (METHODS, Delivery(fault=Fault("html", before="head", message=MESSAGE, status=200))),
    "malformed": (("invoke",), Delivery(edits=(Edit("malform", at=0),))),
    "half": (("invoke",), Delivery(edits=(Edit("truncate", at=0),))),
}
"""What comes with the status 200 and is no answer, and in which methods: malformed streams are for FAULT-07."""


@rule(
    "FAULT-08",
    MUST,
    "HTTP 200 with an empty body, with the provider's error, with HTML or with broken JSON raises",
    cases=[
        Case(f"{method}-{name}", (method, delivery))
        for name, (methods, delivery) in _NO_ANSWERS.items()
        for method in methods
    ],
    hint="gateways and proxies answer so; an empty message looks as if the model had nothing to say",
    mend="raise where an answer has no choice, no content and no finish reason, or is not the provider's JSON",
    source="https://openrouter.ai/docs/api/reference/errors-and-debugging: errors after the start come with HTTP 200",
)
def no_answer_raises(probe: Probe, case: Case) -> None:
    method, delivery = case.value
    probe.play(Turn(reply=scripts.PLAIN, delivery=delivery))
    failure(probe, ask(probe, method, frail(probe)), f"HTTP 200, and in place of an answer: {case.name}")
