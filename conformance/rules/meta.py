"""META: tokens counted, in LangChain's meaning: input includes cached tokens, output includes reasoning."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from langchain_core.messages import AIMessage

from mockserver import Asked, Recording, Reply, Turn, Usage

from ..catalogue import MUST, SHOULD, Case, rule
from ..drive import Probe
from ..observe import total, unasked, usage_of
from ..target import Target
from ..verdict import Broken, NotApplicable
from . import scripts

_USAGE_METADATA: Final = "langchain_core.messages.ai.UsageMetadata"
_COUNTED: Final[Mapping[str, Reply]] = {
    name: replace(scripts.PLAIN, usage=usage)
    for name, usage in {
        "plain": Usage(input_tokens=31, output_tokens=17),
        "cache-read": Usage(input_tokens=2048, output_tokens=17, cache_read=1536),
        "cache-creation": Usage(input_tokens=2048, output_tokens=17, cache_creation=1024),
        "cached": Usage(input_tokens=4096, output_tokens=17, cache_read=2048, cache_creation=1024),
        "reasoning": Usage(input_tokens=31, output_tokens=209, reasoning=192),
    }.items()
}


def _cases(target: Target) -> list[Case]:
    """Without details, with as many of the cache's as the wire has, and with that of reasoning."""
    counted = scripts.carried(target.wire, _COUNTED)
    named = {"plain": counted.get("plain"), "cached": _cached(counted), "reasoning": counted.get("reasoning")}
    return [Case(name, reply) for name, reply in named.items() if reply]


def _cached(counted: Mapping[str, Reply]) -> Reply | None:
    return next((counted[name] for name in ("cached", "cache-read", "cache-creation") if name in counted), None)


@rule(
    "META-01",
    MUST,
    "usage_metadata of invoke is the provider's count, cached tokens among the input and reasoning among the output; "
    "total is input and output",
    needs=("usage",),
    cases=_cases,
    hint="who bills or limits by tokens reads these three numbers; providers count cached and reasoning tokens their "
    "own ways",
    mend="convert the provider's counts to UsageMetadata: all input tokens, all output tokens, and their sum",
    source=_USAGE_METADATA,
)
def usage_is_the_providers(probe: Probe, case: Case) -> None:
    probe.play(case.value)
    _same_counts(case.value, probe.invoke(), probe.name("invoke"))


def _same_counts(reply: Reply, message: AIMessage, name: str, *, because: str = "") -> None:
    """Compare the three numbers with the provider's.

    Raises:
        Broken: they differ, or there are none.
    """
    assert reply.usage
    wanted = {
        "input_tokens": reply.usage.input_tokens,
        "output_tokens": reply.usage.output_tokens,
        "total_tokens": reply.usage.total_tokens,
    }
    counted: Mapping[str, Any] | None = message.usage_metadata
    got = None if counted is None else {key: counted.get(key) for key in wanted}
    if got != wanted:
        raise Broken(f"usage_metadata {wanted}", f"{got} ({name})", because=because, frame="usage")


@rule(
    "META-02",
    MUST,
    "the sum of the stream has the same usage, wherever the provider counts: at the start, at the end, in each frame, "
    "in a frame of its own",
    needs=("usage",),
    cases=lambda target: [*_cases(target), *_variants(target)],
    after=("INVOKE-01", "STREAM-02", "META-01"),
    hint="chunks are added, and their counts with them: a running total on each chunk is counted many times over, and "
    "a frame without choices that is skipped is not counted at all",
    mend="give each count once: as it comes where it comes once, as the difference where the provider sends totals",
    source=f"{_USAGE_METADATA}; langchain_core.messages.ai.add_ai_message_chunks",
)
def stream_has_the_same_usage(probe: Probe, case: Case) -> None:
    reply, frames = case.value if isinstance(case.value, tuple) else (case.value, ())
    probe.play(_counting(probe, reply, frames))
    message = total(probe.stream())
    asked = [exchange.asked for exchange in probe.exchanges if exchange.asked]
    if unasked(probe.exchanges):
        raise NotApplicable(f"{probe.name('stream')} does not ask for usage, which is for META-03 to say")
    if frames and not any(each.stream for each in asked):
        raise NotApplicable(f"{probe.name('stream')} of {probe.target.label} asks for no stream")
    _same_counts(reply, message, f"the sum of {probe.name('stream')}")
    probe.play(reply)
    one, other = usage_of(probe.invoke()), usage_of(message)
    if one != other:
        raise Broken(f"{one} (as {probe.name('invoke')})", f"{other} (the sum of {probe.name('stream')})")


def _counting(probe: Probe, reply: Reply, frames: Any) -> Any:
    """The script: these frames for requests that ask for a stream, if there are some, and else the reply."""
    if not frames:
        return reply
    recorded = Turn(recording=Recording(200, {"content-type": probe.wire.stream_type}, frames))

    def answer(asked: Asked) -> Reply | Turn:
        return recorded if asked.stream else reply

    return answer


def _variants(target: Target) -> Iterator[Case]:
    """Streams that count in other places, with as many details as the wire has."""
    if not target.streams("sync") and not target.streams("async"):
        return
    counted = scripts.carried(target.wire, _COUNTED)
    reply = _cached(counted) or counted["plain"]
    for name, variant in target.wire.usage_variants(scripts.named(reply)).items():
        why = variant.source or f"SHOULD here: {target.wire.name} is not known to count so; others like it do"
        yield Case(name, (reply, variant.frames), level=None if variant.source else SHOULD, why=why)


@rule(
    "META-03",
    MUST,
    "where usage must be asked for on a stream, the model asks, as it is configured and by default",
    needs=("usage", "stream"),
    cases=lambda target: [Case("configured"), *_defaults(target)],
    hint="OpenAI's Chat Completions count the tokens of a stream only if stream_options asks; a model that does not "
    "ask has usage after invoke and none after stream",
    mend="ask for the usage of streams by default, and let a setting turn it off",
    source="https://platform.openai.com/docs/api-reference/chat/create#chat-create-stream_options",
)
def usage_is_asked_for(probe: Probe, case: Case) -> None:
    target, setting = probe.target, probe.target.setting("stream_usage")
    if case.name == "default":
        found = target.by_default("stream_usage", probe.server.url)
        if found and True not in found:
            _check_asking(probe, setting)
            raise Broken(f"{setting} is on where it is left out", f"it is {found[-1]!r}")
        return
    probe.play(scripts.PLAIN)
    probe.stream()
    if not any(exchange.asked and exchange.asked.stream for exchange in probe.exchanges):
        raise NotApplicable(f"{probe.name('stream')} of {target.label} asks for no stream")
    if not unasked(probe.exchanges):
        return
    if setting and setting in target.extra:
        raise NotApplicable(f"it is told not to, by {setting}={target.extra[setting]!r}")
    off = setting and not getattr(probe.model(), setting, None)
    if off and True in target.by_default("stream_usage", probe.server.url):
        raise NotApplicable(f"it asks at its own provider; where it is aimed elsewhere, {setting} is to be set")
    raise Broken("a request for a stream that asks for its usage", f"none does ({probe.exchanges[0].describe()})")


def _check_asking(probe: Probe, setting: str | None) -> None:
    """Whether a stream must be asked to count, with the setting turned off.

    Raises:
        NotApplicable: the provider counts without being asked.
    """
    probe.play(scripts.PLAIN)
    probe.stream(on=probe.model(**{str(setting): False}))
    if not unasked(probe.exchanges):
        raise NotApplicable(f"streams of the wire {probe.wire.name} are counted without being asked")


def _defaults(target: Target) -> list[Case]:
    """Where the stanza turns a setting on so that streams are counted: what the class does without."""
    setting = target.setting("stream_usage")
    if setting is None or setting not in target.stanza.kwargs:
        return []
    return [Case("default", level=SHOULD, why=f"SHOULD here: {target.label} has a setting for it, {setting}")]


_DETAILS: Final[Mapping[str, str]] = {
    "cache_read": "input_token_details",
    "cache_creation": "input_token_details",
    "reasoning": "output_token_details",
}


@rule(
    "META-04",
    SHOULD,
    "the counts of cached and reasoning tokens are kept, in invoke and in the sum of the stream",
    needs=("usage",),
    cases=lambda target: [
        Case(name.replace("_", "-"), name)
        for name in _DETAILS
        if name.replace("_", "-") in scripts.carried(target.wire, _COUNTED)
    ],
    after=("INVOKE-01", "STREAM-02", "META-01"),
    hint="cached tokens are cheaper and reasoning is not shown; without the details no bill can be explained",
    mend="fill input_token_details and output_token_details",
    source="langchain_core.messages.ai.InputTokenDetails, OutputTokenDetails",
)
def details_are_kept(probe: Probe, case: Case) -> None:
    reply = _COUNTED[case.value.replace("_", "-")]
    probe.play(reply)
    found = {probe.name("invoke"): probe.invoke()}
    streamed = total(probe.stream())
    if not unasked(probe.exchanges):
        found[f"the sum of {probe.name('stream')}"] = streamed
    wanted = getattr(reply.usage, case.value)
    for name, message in found.items():
        details = (usage_of(message) or {}).get(_DETAILS[case.value], {})
        # A service tier may stand before the name: flex_cache_read.
        counts = {key: count for key, count in details.items() if key == case.value or key.endswith(f"_{case.value}")}
        if list(counts.values()) != [wanted]:
            raise Broken(f"{_DETAILS[case.value]} {{{case.value!r}: {wanted}}}", f"{details} ({name})", frame="usage")
