"""CALLBACK: what handlers hear of a run (`config={"callbacks": [...]}`): that all is told, and in order."""

from collections.abc import Mapping
from typing import Any, Final

from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage

from mockserver import Delivery, Fault, Refused, Reply, Turn

from ..callbacks import END, ERROR, START, TOKEN, Heard, Listener
from ..calls import END as NO_MORE
from ..catalogue import MUST, Case, rule
from ..compat import CORE_VERSION, text_of
from ..drive import PROMPT, Probe
from ..observe import agree, joined, same_text, total
from ..target import Target
from ..verdict import Broken, NotApplicable
from ..wording import brief
from . import scripts
from .tool_scripts import calling

_BASE: Final = "langchain_core.callbacks.BaseCallbackHandler"


def counted(names: list[str]) -> str:
    """Names in order, with runs of one name counted."""
    told: list[tuple[str, int]] = []
    for name in names:
        before = told.pop() if told and told[-1][0] == name else (name, 0)
        told.append((name, before[1] + 1))
    return ", ".join(f"{name} ×{count}" if count > 1 else name for name, count in told) or "no callback"


def _carried(target: Target, replies: Mapping[str, Reply]) -> list[Case]:
    return [Case(name, reply) for name, reply in scripts.carried(target.wire, replies).items()]


def _streamed_inside(target: Target) -> list[Case]:
    """The case of `invoke` on a model that was told to stream, where the class can be.

    langchain-core 0.3.86 and 1.0.0 know no `streaming`, and 1.2.9 does; what it means before is each package's own.
    """
    can = CORE_VERSION >= (1, 2) and target.streams("sync") and target.has_field("streaming")
    return [Case("streaming")] if can else []


def _answer(probe: Probe, how: str, listener: Listener) -> Any:
    """One answer, whole; from `invoke`, from a model that streams inside `invoke`, or the sum of a stream."""
    config: Any = {"callbacks": [listener]}
    if how == "stream":
        return total(probe.stream(config=config))
    model = probe.model(streaming=True) if how == "streaming" else probe.model()
    return probe.invoke(on=model, config=config)


@rule(
    "CALLBACK-01",
    MUST,
    "on_chat_model_start once, first, with the messages; on_llm_end once, last, with the message and its usage",
    cases=lambda target: [Case("invoke"), Case("stream"), *_streamed_inside(target)],
    hint="tracers open a run at its start and close it at its end; what is missing there is missing in every trace",
    mend="leave callbacks to langchain-core: implement _generate and _stream, and do not override invoke or stream",
    source=f"{_BASE}: on_chat_model_start, on_llm_end",
)
def runs_start_and_end(probe: Probe, case: Case) -> None:
    probe.play(scripts.PLAIN)
    listener = Listener()
    answer = _answer(probe, case.name, listener)
    names = [name for name in listener.names if name != TOKEN]
    if names != [START, END] or listener.names[0] != START or listener.names[-1] != END:
        raise Broken(f"{START} first, {END} last, each once", counted(listener.names))
    [started], [ended] = listener.of(START), listener.of(END)
    said = [[(type(each), each.content) for each in messages] for messages in started.value]
    if said != [[(HumanMessage, PROMPT)]]:
        raise Broken(f"[[HumanMessage({PROMPT!r})]]", brief(started.value))
    if not isinstance(ended.message, AIMessage):
        raise Broken(f"{END} with the message", brief(ended.value))
    agree(answer, ended.message, names=("what the caller gets", END))


@rule(
    "CALLBACK-02",
    MUST,
    "on_llm_new_token once per yielded chunk, before it is yielded, with the chunk; tokens joined are the text",
    needs=("stream",),
    cases=lambda target: [
        Case("stream", scripts.PLAIN),
        *(
            []
            if target.lacks("tools", "sync")
            else _carried(target, {"tool-call": calling(target.wire, *scripts.BOTH.blocks)})
        ),
        *_streamed_inside(target),
    ],
    hint="user interfaces that show tokens from callbacks show nothing, or show them late, in one of the forms only",
    mend="leave on_llm_new_token to langchain-core, or call it before the chunk is yielded, in _stream and _astream",
    source=f"{_BASE}.on_llm_new_token; langchain-ai/langchain#16913, #22000, #21327",
)
def tokens_are_told(probe: Probe, case: Case) -> None:
    if case.name == "streaming":
        _tokens_inside_invoke(probe)
        return
    probe.play(case.value)
    listener = Listener()
    model = probe.with_tools(scripts.TOOLS) if case.value.tool_calls else probe.model()
    stream = probe.iterate("stream", PROMPT, on=model, config={"callbacks": [listener]})
    while stream.next() is not NO_MORE:
        tokens, chunks = listener.of(TOKEN), stream.items
        if len(tokens) < len(chunks):
            observed = f"{len(tokens)} calls when chunk {len(chunks)} is there"
            raise Broken(f"{TOKEN} for each chunk, before it is yielded", observed)
        _same_chunk(len(chunks), chunks[-1], tokens[len(chunks) - 1])
    tokens = listener.of(TOKEN)
    if len(tokens) != len(stream.items):
        raise Broken(f"{TOKEN} once for each of {len(stream.items)} chunks", f"{len(tokens)} calls")
    same_text(case.value.text, _said(tokens))


def _tokens_inside_invoke(probe: Probe) -> None:
    probe.play(scripts.PLAIN)
    listener = Listener()
    _answer(probe, "streaming", listener)
    tokens = listener.of(TOKEN)
    if len([each for each in tokens if _token(each)]) < 2:
        expected = f"{TOKEN} for each piece (streaming=True)"
        raise Broken(expected, counted(listener.names))
    same_text(scripts.PLAIN.text, _said(tokens))


def _token(heard: Heard) -> str:
    """The text of a token; packages whose content is a list of blocks give that."""
    return heard.value if isinstance(heard.value, str) else text_of(AIMessageChunk(content=heard.value))


def _said(tokens: list[Heard]) -> str:
    return "".join(map(_token, tokens))


def _same_chunk(number: int, yielded: Any, heard: Heard) -> None:
    """Whether a callback told the chunk that was yielded."""
    told = getattr(heard.told.get("chunk"), "message", None)
    if not isinstance(told, AIMessageChunk):
        raise Broken(f"{TOKEN} with chunk {number}", f"chunk={brief(heard.told.get('chunk'))}")
    for what, of in (("text", text_of), ("tool call chunks", lambda message: message.tool_call_chunks)):
        if of(told) != of(yielded):
            raise Broken(f"chunk {number} with {what} {brief(of(yielded))}", f"{brief(of(told))} ({TOKEN})")


_FAILURES: Final = {
    "invoke-refused": Turn(error=Refused(400, "This request is not right")),
    "stream-refused": Turn(error=Refused(400, "This request is not right")),
    "stream-broken-off": Turn(reply=scripts.PLAIN, delivery=Delivery(fault=Fault("close", before=2))),
}


@rule(
    "CALLBACK-03",
    MUST,
    "on failure on_llm_error once, with what had arrived, and no on_llm_end",
    cases=lambda target: [
        Case(name, turn) for name, turn in _FAILURES.items() if name != "stream-broken-off" or target.streams("sync")
    ],
    hint="a run that ends in no callback stays open in the trace for ever; one that ends in on_llm_end looks whole",
    mend="let errors out of _generate and _stream; langchain-core tells handlers of them",
    source="langchain_core.callbacks.AsyncCallbackHandler.on_llm_error: response, what was generated before the error",
)
def failures_are_told(probe: Probe, case: Case) -> None:
    probe.play(case.value)
    listener = Listener()
    config: Any = {"callbacks": [listener]}
    arrived: list[Any] = []
    if case.name == "invoke-refused":
        error = probe.call("invoke", PROMPT, config=config).error()
    else:
        stream = probe.iterate("stream", PROMPT, config=config, on=probe.model())
        error, arrived = stream.drain().error(), stream.items
    if error is None:
        raise NotApplicable(f"no error came of {case.value.describe()}; whether one must is for FAULT to say")
    names = [name for name in listener.names if name != TOKEN]
    if names != [START, ERROR] or listener.names[-1] != ERROR:
        raise Broken(f"{START} first, {ERROR} last, each once, and no {END}", counted(listener.names))
    [failed] = listener.of(ERROR)
    text = joined(arrived)
    if text and (failed.message is None or text_of(failed.message) != text):
        expected = f"{ERROR} with what had arrived: {text!r}"
        raise Broken(expected, f"response={brief(failed.told.get('response'))}")
