"""DEFAULT: what a model claims it has, and what it does not claim it refuses or leaves empty."""

import base64
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage

from mockserver import Reasoning, Reply, Text

from ..catalogue import MUST, SHOULD, Case, rule
from ..compat import text_of
from ..drive import PROMPT, Probe
from ..observe import same_text, total
from ..target import Target
from ..verdict import Broken, NotApplicable
from ..wording import brief, describe_error
from . import scripts

_IMAGE: Final = base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"goldfish of the moon " * 3).decode()
_SCHEMA: Final = {
    "title": "Fish",
    "description": "A fish.",
    "type": "object",
    "properties": {"name": {"type": "string", "description": "Its name."}},
    "required": ["name"],
}


def _message_with_image() -> HumanMessage:
    url = {"url": f"data:image/png;base64,{_IMAGE}"}
    return HumanMessage([{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": url}])


def _has_tools(probe: Probe, claim: str) -> None:
    if not probe.target.native("bind_tools"):
        raise Broken("bind_tools, since the profile claims tool_calling", "it is not implemented")
    probe.play(scripts.fitted(probe.wire, scripts.CALLS))
    message = probe.invoke(on=probe.with_tools(scripts.TOOLS))
    asked = probe.exchange.asked
    if not asked or scripts.TOOLS[0].name not in asked.tools:
        raise Broken(f"a request with the tool {scripts.TOOLS[0].name!r}", f"tools {asked.tools if asked else ()}")
    if not message.tool_calls:
        raise Broken("the calls of the reply", brief(message))


def _has_structured_output(probe: Probe, claim: str) -> None:
    try:
        probe.model().with_structured_output(_SCHEMA)
    except Exception as error:
        raise Broken("with_structured_output, since the profile claims it", describe_error(error)) from error


def _has_images(probe: Probe, claim: str) -> None:
    probe.play(scripts.PLAIN)
    probe.invoke([_message_with_image()])
    if not _sent(probe, _IMAGE):
        raise Broken("a request with the image, since the profile claims image_inputs", "it is not in the body")


def _sent(probe: Probe, text: str) -> bool:
    """Whether a text stands in the body of a request."""
    bodies = (exchange.asked.request.body for exchange in probe.exchanges if exchange.asked)
    return any(text.encode() in body.replace(b"\\/", b"/") for body in bodies)


_CLAIMS: Final[Mapping[str, tuple[str, Callable[[Probe, str], None]]]] = {
    "tool_calling": ("tools", _has_tools),
    "structured_output": ("structured output", _has_structured_output),
    "image_inputs": ("images", _has_images),
}
"""What a profile may claim, the capability that it stands for, and how the claim is checked. Other claims are of the
provider's model, of which the class is no more than the carrier."""


def _claimed(target: Target) -> list[Case]:
    made = [
        Case(name.replace("_", "-"), check)
        for name, (capability, check) in _CLAIMS.items()
        if target.profile.get(name) and capability not in target.stanza.lacks
    ]
    return made or [Case()]


@rule(
    "DEFAULT-04",
    MUST,
    "what a model's profile claims, the class has: tools, structured output, images",
    forms="s",
    cases=_claimed,
    hint="agents read the profile and choose by it what they send",
    mend="implement what the profile claims, or take the claim out of the profile",
    source="langchain_core.language_models.model_profile.ModelProfile",
    after=("INVOKE-01",),
)
def claims_are_kept(probe: Probe, case: Case) -> None:
    if case.value is None:
        raise NotApplicable(f"{probe.target.label} has no profile that claims {', '.join(_CLAIMS)}")
    case.value(probe, case.name)


def _no_tools(probe: Probe) -> None:
    probe.play(scripts.PLAIN)
    try:
        bound = probe.model().bind_tools(scripts.TOOLS)
    except Exception:  # noqa: BLE001 - to refuse is right, by whatever error
        return
    call = probe.call("invoke", PROMPT, on=bound)
    if call.error() is None and not any(exchange.asked and exchange.asked.tools for exchange in probe.exchanges):
        raise Broken("an error, or a request with the tools", f"it answers without them: {brief(call.value())}")


def _no_usage(probe: Probe) -> None:
    probe.play(scripts.PLAIN)
    usage = scripts.PLAIN.usage
    assert usage
    for name, message in _both(probe).items():
        told: Mapping[str, Any] = message.usage_metadata or {}
        right = {"input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens}
        if any(told.values()) and {key: told.get(key) for key in right} != right:
            raise Broken(f"no usage_metadata, or {right}", f"{brief(told)} ({name})")


def _usage_not_sent(probe: Probe) -> None:
    probe.play(replace(scripts.PLAIN, usage=None))
    for name, message in _both(probe).items():
        told: Mapping[str, Any] = message.usage_metadata or {}
        if any(count for count in told.values() if isinstance(count, int)):
            raise Broken("no usage_metadata where the provider counts nothing", f"{brief(told)} ({name})")


def _both(probe: Probe) -> dict[str, AIMessage]:
    """The answers of `invoke` and `stream`, by what they are called."""
    found = {probe.name("invoke"): probe.invoke(), f"the sum of {probe.name('stream')}": total(probe.stream())}
    for name, message in found.items():
        if not isinstance(message, AIMessage):
            raise Broken("an AIMessage", f"{brief(message)} ({name})")
    return found


_THOUGHTFUL: Final = replace(scripts.PLAIN, blocks=(Reasoning(("Fish, ", "or the moon?")), Text(("Both ", "of them."))))


def _no_reasoning(probe: Probe) -> None:
    probe.play(_THOUGHTFUL)
    for message in _both(probe).values():
        same_text(_THOUGHTFUL.text, text_of(message))


def _no_images(probe: Probe) -> None:
    probe.play(scripts.PLAIN)
    call = probe.call("invoke", [_message_with_image()])
    if call.error() is None and not _sent(probe, _IMAGE):
        raise Broken("an error, or a request with the image", f"it answers without it: {brief(call.value())}")


_STOP: Final = "Zürich"


def _no_stop(probe: Probe) -> None:
    probe.play(Reply.of("From Bern to ", _STOP, " and back."))
    call = probe.call("invoke", PROMPT, stop=[_STOP])
    if call.error() is not None or any(exchange.asked and exchange.asked.stop for exchange in probe.exchanges):
        return
    message = call.value()
    if not isinstance(message, BaseMessage) or _STOP in text_of(message):
        raise Broken("an error, a request with the stop sequence, or a text that ends there", brief(message))


_ABSENT: Final[Mapping[str, Callable[[Probe], None]]] = {
    "tools": _no_tools,
    "usage": _no_usage,
    "reasoning": _no_reasoning,
    "images": _no_images,
    "stop": _no_stop,
}
"""The mirror checks by capability; that of `stream` is DEFAULT-01."""


def _unclaimed(target: Target) -> list[Case]:
    """What the model does not claim and the wire can carry, and what a provider may leave out."""
    carried = scripts.carried(
        target.wire, {"reasoning": _THOUGHTFUL, "usage-not-sent": replace(scripts.PLAIN, usage=None)}
    )
    found = [
        Case(name, check)
        for name, check in _ABSENT.items()
        if target.lacks(name, "sync") and (name != "reasoning" or name in carried)
    ]
    if "usage-not-sent" in carried:
        why = "SHOULD here: a count of the model's own may be meant as an estimate"
        found.append(Case("usage-not-sent", _usage_not_sent, level=SHOULD, why=why))
    return found or [Case()]


@rule(
    "DEFAULT-05",
    MUST,
    "what a model does not claim it refuses with an error or leaves empty; it never answers as if it were not asked",
    forms="s",
    cases=_unclaimed,
    hint="tools, images and stop sequences that are dropped silently give answers that look right",
    mend="raise an error that names what is not supported",
    source="langchain_core/language_models/chat_models.py: `bind_tools` of a model without tools raises "
    "NotImplementedError",
    after=("INVOKE-01",),
)
def the_unclaimed_is_refused(probe: Probe, case: Case) -> None:
    if case.value is None:
        raise NotApplicable(f"{probe.target.label} claims all that its wire has")
    case.value(probe)
