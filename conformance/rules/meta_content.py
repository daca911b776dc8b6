"""META: what an answer holds beside plain text: reasoning, content blocks, citations, refusals."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage

from mockserver import Citation, Delivery, Edit, Reasoning, Refusal, Reply, Text, Turn, Wire
from mockserver.frames import join

from ..calls import End
from ..catalogue import MUST, SHOULD, Case, rule
from ..compat import content_blocks, taken_for_one, text_of
from ..drive import PROMPT, Probe
from ..observe import finish_of, leaves, reasoning_of, same_text, total
from ..target import Target
from ..verdict import Broken, NotApplicable
from ..wording import brief, describe_error
from . import scripts

_AFTER_REASONING: Final = ("INVOKE-01", "STREAM-02", "META-05")
_SEAL: Final = "c2VhbGVk"
_ONCE: Final = (("Fish, ", "or the ", "moon?"), ("Both ", "of them."))
_IN_TURN: Final = (*_ONCE, ("Why ", "not?"), ("Neither ", "alone."))


def _thinking(turns: tuple[tuple[str, ...], ...]) -> dict[str, Reply]:
    """Reasoning and text in turn, with a seal on the reasoning and without."""
    found: dict[str, Reply] = {}
    for name, seal in (("sealed", _SEAL), ("plain", None)):
        blocks = (Text(each) if at % 2 else Reasoning(each, signature=seal) for at, each in enumerate(turns))
        found[name] = replace(scripts.PLAIN, blocks=tuple(blocks))
    return found


def _thought_of(wire: Wire, turns: tuple[tuple[str, ...], ...]) -> Reply | None:
    """The fullest of these replies that the wire can carry."""
    return next(iter(scripts.carried(wire, _thinking(turns)).values()), None)


def _said(kind: type, reply: Reply) -> str:
    return "".join(block.joined for block in reply.blocks if isinstance(block, kind))


@rule(
    "META-05",
    MUST,
    "reasoning arrives as reasoning: whole, in content or the package's field for it, and never inside the text",
    needs=("reasoning",),
    cases=lambda target: [Case("invoke"), Case("stream"), *_without_deltas(target)],
    hint="two implementations of one thing: invoke reads a field that stream does not",
    mend="read the reasoning of messages and of deltas, and keep it in content or in additional_kwargs",
    source="langchain_core.messages.content.ReasoningContentBlock",
)
def reasoning_is_kept(probe: Probe, case: Case) -> None:
    reply = _thought_of(probe.wire, _ONCE)
    if reply is None:
        raise NotApplicable(f"{probe.wire.name} has no place for reasoning and text in one answer")
    probe.play(Turn(reply=reply, delivery=case.value or Delivery()))
    method = "invoke" if case.name == "invoke" else "stream"
    message = _answered(probe, method)
    same_text(reply.text, text_of(message))
    thought, shown = _said(Reasoning, reply), reasoning_of(message)
    if shown == thought:
        return
    if not shown and not probe.wire.sends_reasoning and not case.value:
        other = "stream" if method == "invoke" else "invoke"
        if not reasoning_of(_answered(probe, other)):
            raise NotApplicable(f"the provider of {probe.wire.name} sends no reasoning, and the model reads none")
    raise Broken(f"reasoning {thought!r}", f"{shown!r} ({probe.name(method)}: {brief(message)})")


def _thinker(probe: Probe) -> BaseChatModel:
    """The model, told to ask for reasoning where it must."""
    return probe.model(**probe.target.reasoning)


def _answered(probe: Probe, method: str) -> AIMessage:
    """The answer of `invoke`, or the sum of `stream`."""
    model = _thinker(probe)
    message: Any = probe.invoke(on=model) if method == "invoke" else total(probe.stream(on=model))
    if not isinstance(message, AIMessage):
        raise Broken("an AIMessage", brief(message))
    return message


def _without_deltas(target: Target) -> Iterator[Case]:
    """A stream that brings reasoning whole, where the wire says it again when its pieces have come."""
    reply = _thought_of(target.wire, _ONCE)
    if reply is None:
        return
    numbers = range(len(_ONCE[0]))
    frames = [frame for frame in target.wire.frames(scripts.named(reply)) if frame.piece not in numbers]
    if _said(Reasoning, target.wire.decode_stream(join(frames)).reply) == _said(Reasoning, reply):
        dropped = Delivery(edits=tuple(Edit("drop", number) for number in numbers))
        why = "SHOULD here: servers like the provider's send it so (langchain-ai/langchain#37625)"
        yield Case("stream-whole", dropped, level=SHOULD, why=why)


@rule(
    "META-06",
    MUST,
    "reasoning and text in turn keep their order and stay separate blocks",
    needs=("reasoning", "core>=1.0"),
    cases=lambda target: [
        Case(name, reply)
        for name, reply in {
            "once": _thought_of(target.wire, _ONCE),
            "in-turn": _thought_of(target.wire, _IN_TURN),
        }.items()
        if reply
    ],
    after=_AFTER_REASONING,
    hint="an answer whose reasoning is glued together cannot be sent back to a provider that seals each part",
    mend="keep the provider's blocks, each with an index of its own",
    source="langchain_core.messages.AIMessage.content_blocks",
)
def reasoning_keeps_its_place(probe: Probe, case: Case) -> None:
    reply: Reply = case.value
    wanted = [("text" if isinstance(block, Text) else "reasoning", block.joined) for block in reply.blocks]
    probe.play(reply)
    model = _thinker(probe)
    chunks = probe.stream(on=model)
    found = {
        f"content_blocks of {probe.name('invoke')}": _runs(_blocks(probe.invoke(on=model))),
        f"content_blocks of the sum of {probe.name('stream')}": _runs(_blocks(total(chunks))),
        f"the chunks of {probe.name('stream')}": _runs(_pieces(chunks)),
    }
    if not any(kind == "reasoning" for runs in found.values() for kind, _ in runs):
        raise NotApplicable("the model gives no reasoning, which is for META-05 to say")
    for name, runs in found.items():
        if runs != wanted:
            raise Broken(f"{wanted}", f"{runs} ({name})")


def _blocks(message: BaseMessage) -> Iterator[tuple[str, str]]:
    """Texts and reasoning among the content blocks."""
    for block in content_blocks(message):
        if block.get("type") in ("text", "reasoning"):
            yield block["type"], str(block.get(block["type"]) or "")


def _pieces(chunks: Iterable[Any]) -> Iterator[tuple[str, str]]:
    for chunk in chunks:
        yield "reasoning", reasoning_of(chunk)
        yield "text", text_of(chunk)


def _runs(parts: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Parts of one kind that follow one another are one; empty ones say nothing."""
    runs: list[tuple[str, str]] = []
    for kind, said in parts:
        if said and runs and runs[-1][0] == kind:
            runs[-1] = (kind, runs[-1][1] + said)
        elif said:
            runs.append((kind, said))
    return runs


@rule(
    "META-07",
    MUST,
    "content_blocks of invoke and of the sum of the stream agree; the pieces of a text make one text block",
    needs=("core>=1.0",),
    cases=lambda target: [
        Case("text", scripts.PLAIN),
        *scripts.with_calls(target, {"tool-calls": scripts.CALLS, "text-and-call": scripts.BOTH}),
        # Without a seal where the wire allows it: Gemini has it on a text, which must then stay apart from the others.
        *(Case("reasoning", reply) for reply in list(scripts.carried(target.wire, _thinking(_ONCE)).values())[-1:]),
    ],
    hint="code that reads blocks must not care how an answer came; pieces without an index are not merged",
    mend="give the parts of list content an index, the same for all pieces of one block",
    source="langchain_core.messages.AIMessage.content_blocks; langchain_core.utils._merge.merge_lists",
)
def blocks_agree(probe: Probe, case: Case) -> None:
    probe.play(case.value)
    model = probe.with_tools(scripts.TOOLS) if case.value.tool_calls else probe.model()
    model = _thinker(probe) if case.name == "reasoning" else model
    chunks = probe.stream(on=model)
    with_ids = probe.wire.call_ids
    summed = list(_told(total(chunks), with_ids=with_ids))
    wanted = list(_told(probe.invoke(on=model), with_ids=with_ids))
    if summed != wanted:
        # Blocks and calls meet in one list only where langchain-core has put them there.
        if any(chunk.response_metadata.get("output_version") == "v1" for chunk in chunks) and (
            why := taken_for_one(chunks)
        ):
            raise NotApplicable(why)
        raise Broken(
            f"content_blocks {wanted} (as {probe.name('invoke')})", f"{summed} (the sum of {probe.name('stream')})"
        )


def _told(message: BaseMessage, *, with_ids: bool) -> Iterator[tuple[Any, ...]]:
    """Blocks by what they say; ids, indices and extras are the package's own, and empty blocks say nothing.

    Calls have the provider's ids, where its wire asks for them.
    """
    for block in content_blocks(message):
        kind = block.get("type")
        if kind in ("text", "reasoning"):
            if block.get(kind):
                yield kind, block[kind]
        elif kind in ("tool_call", "tool_call_chunk", "invalid_tool_call"):
            yield kind, block.get("name"), block.get("args"), block.get("id") if with_ids else None
        else:
            yield (kind,)


_SOURCE: Final = Citation(url="https://example.org/goldfish", title="Goldfish of the moon")
_QUOTE: Final = "On the moon they swim."
_CITATIONS: Final[Mapping[str, Reply]] = {
    name: replace(scripts.PLAIN, blocks=(Text(("The moon ", "is full."), citations=(citation,)),))
    for name, citation in {
        "all": replace(_SOURCE, quote=_QUOTE, start=4, end=8),
        "quoted": replace(_SOURCE, quote=_QUOTE),
        "placed": replace(_SOURCE, start=4, end=8),
        "named": _SOURCE,
        "document": Citation(title=_SOURCE.title, quote=_QUOTE),
    }.items()
}


@rule(
    "META-08",
    SHOULD,
    "citations are kept: what a text rests on is in content or metadata, in invoke and in the sum of the stream",
    cases=lambda target: [
        Case(method, reply)
        for reply in list(scripts.carried(target.wire, _CITATIONS).values())[:1]
        for method in ("invoke", "stream")
    ],
    hint="an answer whose sources are lost cannot be checked; some providers require that they are shown",
    mend="keep the provider's citations as annotations of the text block",
    source="langchain_core.messages.content.Citation",
)
def citations_are_kept(probe: Probe, case: Case) -> None:
    probe.play(case.value)
    message: Any = probe.invoke() if case.name == "invoke" else total(probe.stream())
    same_text(case.value.text, text_of(message))
    [citation] = case.value.blocks[0].citations
    wanted = [each for each in (citation.url, citation.quote, citation.title) if each]
    texts = [*leaves(message), *leaves(content_blocks(message))]
    if not any(each in text for each in wanted for text in texts):
        raise Broken(f"one of {wanted} in the message", brief(message))


_DECLINED: Final[Mapping[str, Reply]] = {
    "filtered": Reply.of("I cannot ", "go on.", finish_reason="content_filter"),
    "refused": Reply.of("I cannot ", "go on.", finish_reason="refusal"),
    "refusal-field": Reply(blocks=(Refusal(("I cannot ", "help with that.")),)),
    "blocked": Reply(finish_reason="content_filter"),
}


@rule(
    "META-09",
    MUST,
    "the sum of the stream tells as invoke does that an answer was refused, filtered or blocked",
    cases=lambda target: [Case(name, reply) for name, reply in scripts.carried(target.wire, _DECLINED).items()],
    hint="a stream that only ends looks like an empty answer; an error that names the reason is right too",
    mend="read refusals, finish reasons and what the provider says of the prompt in each chunk",
    source="langchain-ai/langchain-google#1104",
)
def declining_is_told(probe: Probe, case: Case) -> None:
    probe.play(case.value)
    stream = probe.iterate("stream", PROMPT)
    said = "".join(block.joined for block in case.value.blocks)
    if error := stream.drain().error():
        if said and not any(
            word in str(error).lower() for word in ("filter", "refus", "block", "safety", "no generation")
        ):
            raise Broken("the answer, or an error that names the reason", describe_error(error))
        return
    message = total(stream.items)
    call = probe.call("invoke", PROMPT)
    if call.error():
        return
    whole = call.value()
    if "stream" in probe.wire.tells_finish and finish_of(whole) and finish_of(message) != finish_of(whole):
        raise Broken(f"finish reason {finish_of(whole)!r}", repr(finish_of(message)), frame="finish")
    if _stands(said, whole) and not _stands(said, message):
        raise Broken(f"the text {said!r} in the sum", f"{brief(message)}, {brief(message.additional_kwargs)}")
    probe.play(scripts.PLAIN)
    usual = probe.invoke()
    if missing := _keys(whole) - _keys(usual) - _keys(message):
        raise Broken(f"{', '.join(sorted(missing))} in the metadata, as after invoke", brief(message.response_metadata))


def _stands(said: str, message: AIMessage) -> bool:
    return said in text_of(message) or any(said in text for text in leaves(message))


def _keys(message: AIMessage) -> set[str]:
    """The keys of metadata that hold something."""
    held = {**message.additional_kwargs, **message.response_metadata}
    return {key for key, value in held.items() if value}


@rule(
    "META-10",
    SHOULD,
    "reasoning streams: its first piece arrives while the server is still holding back the second",
    needs=("reasoning", "stream"),
    after=_AFTER_REASONING,
    hint="reasoning takes most of the time of an answer; held back, the user sees nothing for all of it",
    mend="give each piece of reasoning as it comes",
    source="langchain-ai/langchain#39599",
)
def reasoning_streams(probe: Probe, case: Case) -> None:
    reply = _thought_of(probe.wire, _ONCE)
    if reply is None:
        raise NotApplicable(f"{probe.wire.name} has no place for reasoning and text in one answer")
    model = _thinker(probe)
    probe.play(reply)
    if not reasoning_of(total(probe.stream(on=model))):
        raise NotApplicable("the model gives no reasoning, which is for META-05 to say")
    gate = probe.gate()
    probe.play(Turn(reply=reply, delivery=Delivery(gates={1: gate})))
    stream = probe.iterate("stream", PROMPT, on=model)
    while (call := stream.within()).done:
        chunk = call.value()
        if isinstance(chunk, End) or reasoning_of(chunk):
            break
    came = any(reasoning_of(chunk) for chunk in stream.items)
    gate.open()
    call.value()
    stream.rest()
    if not came:
        raise Broken("a chunk with reasoning before its second piece is sent", "none", frame="piece")
