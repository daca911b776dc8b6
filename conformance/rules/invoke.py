"""INVOKE: one answer (`invoke`, `ainvoke`)."""

from typing import Any, Final

from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import AIMessageChunk, HumanMessage, SystemMessage
from langchain_core.prompt_values import ChatPromptValue

from mockserver import Refusal, Reply, Unencodable, Wire

from ..catalogue import MUST, SHOULD, Case, rule
from ..compat import text_of
from ..drive import Probe
from ..observe import agree, finish_of, own_ids, same_text, total, unasked, untold
from ..target import Target
from ..verdict import Broken, NotApplicable
from ..wording import brief, describe_error
from . import scripts


@rule(
    "INVOKE-01",
    MUST,
    "returns one AIMessage whose text is the reply's, character for character",
    cases=(
        Case("plain", ("Hello, ", "world.")),
        Case("white-space", scripts.WHITE_SPACE),
        Case("unicode", scripts.UNICODE),
        Case("markup", scripts.MARKUP),
    ),
    hint="strip(), splitlines() and re-encoding change text that the provider sent",
    mend="pass the provider's text on as it is, in one AIMessage",
    source="langchain_core/language_models/chat_models.py: `invoke` gives the AIMessage of the one generation that "
    "`_generate` returns",
)
def text_is_the_replys(probe: Probe, case: Case) -> None:
    reply = Reply.of(*case.value)
    probe.play(reply)
    message = probe.invoke()
    if isinstance(message, AIMessageChunk):
        raise Broken("an AIMessage, which is whole", type(message).__name__)
    same_text(reply.text, text_of(message))


@rule(
    "INVOKE-02",
    MUST,
    "sync and async give equal messages for the same reply",
    forms="a",
    cases=lambda target: [Case("text", scripts.PLAIN), *_calls(target)],
    hint="two implementations of one thing drift apart; share the one that reads the answer",
    mend="read the answer in one function that `_generate` and `_agenerate` share",
    source="langchain_core/language_models/chat_models.py: `ainvoke` is the async form of `invoke`",
)
def sync_and_async_agree(probe: Probe, case: Case) -> None:
    probe.play(case.value)
    model = probe.with_tools(scripts.TOOLS) if case.value.tool_calls else probe.model()
    answered = probe.call("invoke", "Hello", on=model).value()
    sync = probe.beside("sync")
    wanted, again = (sync.call("invoke", "Hello", on=model).value() for _ in range(2))
    agree(wanted, answered, names=("invoke", "ainvoke"), but=own_ids(probe.wire))
    for field in ("additional_kwargs", "response_metadata"):
        one, same, other = (getattr(message, field) for message in (wanted, again, answered))
        # What differs between two sync calls belongs to one request: an id, a time, headers.
        keys = [key for key in {**one, **other} if one.get(key) == same.get(key)]
        if different := [key for key in keys if one.get(key) != other.get(key)]:
            key = different[0]
            raise Broken(f"{field}[{key!r}] {one.get(key)!r} (as invoke)", f"{other.get(key)!r} (ainvoke)")


def _calls(target: Target) -> list[Case]:
    return [] if target.lacks("tools", "async") else [Case("tool-calls", scripts.fitted(target.wire, scripts.CALLS))]


@rule(
    "INVOKE-03",
    MUST,
    "the provider's finish reason is in response_metadata, unchanged",
    cases=(Case("stop", "stop"), Case("length", "length")),
    hint="callers tell a cut answer from a whole one by it",
    mend="copy the provider's own word into `response_metadata`, under one of the usual keys",
    source="https://docs.langchain.com/oss/python/langchain/messages: response_metadata holds what the provider says "
    "of its answer; langchain-ai/langchain#31666",
)
def finish_reason_is_kept(probe: Probe, case: Case) -> None:
    if "whole" not in probe.wire.tells_finish:
        raise NotApplicable(f"answers of the wire {probe.wire.name} do not say why they ended")
    reply = Reply.of("A cut answer", finish_reason=case.value)
    probe.play(reply)
    message = probe.invoke()
    word = probe.wire.finish_word(reply)
    if finish_of(message) != word:
        raise Broken(f"{word!r} in response_metadata", f"{finish_of(message)!r} in {brief(message.response_metadata)}")


@rule(
    "INVOKE-04",
    SHOULD,
    'the answering model\'s name is in response_metadata["model_name"]',
    hint="usage is counted by this name; the model that answers is often another than the one asked for",
    mend="read the name from the answer, and not from the constructor's arguments",
    source="langchain_core/callbacks/usage.py: UsageMetadataCallbackHandler counts by "
    '`response_metadata["model_name"]`',
)
def model_name_is_kept(probe: Probe, case: Case) -> None:
    if probe.wire.decode_whole(probe.wire.whole(scripts.named(scripts.PLAIN))).reply.model is None:
        raise NotApplicable(f"answers of the wire {probe.wire.name} do not name the model")
    probe.play(scripts.PLAIN)
    name = probe.invoke().response_metadata.get("model_name")
    if name != scripts.PLAIN.model:
        raise Broken(repr(scripts.PLAIN.model), repr(name))


@rule(
    "INVOKE-05",
    MUST,
    "the message has an id; two calls have two ids",
    hint="messages are stored, replaced and removed by their ids",
    mend="leave the id to langchain-core, or take the provider's, which differs for each answer",
    source="langchain_core/messages/base.py: BaseMessage.id; `add_messages` and `RemoveMessage` go by it",
)
def message_has_an_id(probe: Probe, case: Case) -> None:
    probe.play(scripts.echo)
    model = probe.model()
    ids = [probe.call("invoke", text, on=model).value().id for text in ("one", "two")]
    if not all(ids) or ids[0] == ids[1]:
        raise Broken("two ids, none of them empty and not the same", repr(ids))


@rule(
    "INVOKE-06",
    MUST,
    "a reply without text (tool calls only) has empty content, never None",
    needs=("tools",),
    hint="providers send null for the content of such a reply; content is a string or a list",
    mend='write `content or ""` where the provider\'s content may be null',
    source="langchain_core/messages/base.py: content is `str | list`",
)
def content_is_never_none(probe: Probe, case: Case) -> None:
    probe.play(scripts.fitted(probe.wire, scripts.CALLS))
    message = probe.invoke(on=probe.with_tools(scripts.TOOLS))
    if not isinstance(message.content, str | list):
        raise Broken("content is a string or a list", repr(message.content))
    if text_of(message):
        raise Broken("no text", repr(text_of(message)))


_CONVERSATION: Final = (SystemMessage("Be brief."), HumanMessage("Hello"))
_SPELLINGS: Final[dict[str, tuple[LanguageModelInput, LanguageModelInput]]] = {
    "string": ("Hello", [HumanMessage("Hello")]),
    "tuples": ([("system", "Be brief."), ("human", "Hello")], list(_CONVERSATION)),
    "prompt-value": (ChatPromptValue(messages=list(_CONVERSATION)), list(_CONVERSATION)),
}


@rule(
    "INVOKE-07",
    MUST,
    "a string, role tuples, message objects and a PromptValue of the same conversation send the same request",
    forms="s",
    cases=[Case(name, value) for name, value in _SPELLINGS.items()],
    hint="a conversion of its own for one spelling changes roles, order or text",
    mend="override neither `invoke` nor `_convert_input`; convert messages in one place",
    source="langchain_core/language_models/base.py: LanguageModelInput is a PromptValue, a string or a sequence of "
    "messages",
)
def spellings_send_the_same(probe: Probe, case: Case) -> None:
    probe.play(scripts.PLAIN)
    sent: list[list[Any]] = []
    for spelling in case.value:
        before = len(probe.exchanges)
        probe.invoke(spelling)
        sent.append([exchange.json for exchange in probe.exchanges[before:]])
    spelled, wanted = sent
    if spelled != wanted:
        raise Broken(f"the request that message objects send: {brief(wanted)}", brief(spelled))


@rule(
    "INVOKE-08",
    MUST,
    "one request per call; a model that streams inside returns the same message as one that does not",
    cases=lambda target: [
        Case("plain", {}),
        *([Case("streaming", {"streaming": True})] if target.has_field("streaming") else []),
        Case("stream"),
    ],
    hint="a retry, a probe or a second call shows on the user's bill",
    mend="ask once; where invoke streams inside, let the request ask for the same and add the chunks up",
    source="langchain_core/language_models/chat_models.py: `_generate_with_cache` calls `_generate` or `_stream` once",
)
def one_request_a_call(probe: Probe, case: Case) -> None:
    probe.play(scripts.PLAIN)
    message = total(probe.stream()) if case.name == "stream" else probe.invoke(on=probe.model(**case.value))
    if len(probe.exchanges) != 1:
        raise Broken("1 request", f"{len(probe.exchanges)} requests")
    if case.value:
        wanted = probe.invoke(on=probe.model())
        names = ("invoke without streaming", "invoke with streaming=True")
        agree(wanted, message, names=names, but=(*unasked(probe.exchanges), *untold(probe.wire)))


@rule(
    "INVOKE-09",
    MUST,
    "refusals and filtered replies keep their finish reason and their text; nothing is dropped silently",
    cases=lambda target: [Case(name, reply) for name, reply in _declined(target).items()] or [Case()],
    hint="an empty answer that looks whole is the worst of all; an error that names the filter is right too",
    mend="keep the provider's finish reason and whatever text came, or raise an error that names the filter",
    source="OpenAI's `refusal` and `content_filter`, Anthropic's `refusal` and Gemini's `SAFETY`, as in the types of "
    "their SDKs",
)
def refusals_are_kept(probe: Probe, case: Case) -> None:
    if case.value is None:
        raise NotApplicable(f"{probe.wire.name} has no word and no place for a refusal")
    reply: Reply = case.value
    probe.play(reply)
    said = "".join(block.joined for block in reply.blocks)
    call = probe.call("invoke", "Hello")
    if error := call.error():
        told = str(error).lower().replace("_", " ")
        if "filter" in told or "refus" in told:
            return
        raise Broken("the message, or an error that names the reason", describe_error(error))
    message = call.value()
    word = probe.wire.finish_word(reply)
    if finish_of(message) != word:
        raise Broken(f"finish reason {word!r}", repr(finish_of(message)))
    if said not in text_of(message) and said not in repr((message.content, message.additional_kwargs)):
        raise Broken(f"the text {said!r} in the message", f"{brief(message)}, {brief(message.additional_kwargs)}")


def _declined(target: Target) -> dict[str, Reply]:
    """Replies in which the wire's provider declines."""
    found = {
        f"finish-{reason}".replace("_", "-"): Reply.of("I cannot ", "go on.", finish_reason=reason)
        for reason in ("content_filter", "refusal")
        if reason in target.wire.finish_reasons
    }
    refusal = Reply(blocks=(Refusal(("I cannot ", "help with that.")),))
    if "refusal" not in target.wire.finish_reasons and _says(target.wire, refusal):
        found["refusal-field"] = refusal
    return found


def _says(wire: Wire, reply: Reply) -> bool:
    """Whether a wire has a place for all of a reply."""
    try:
        wire.whole(reply.whole())
    except Unencodable:
        return False
    return True
