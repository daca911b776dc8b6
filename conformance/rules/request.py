"""REQUEST: what goes out, decided by what the server saw: the conversation, the key, and a body that is valid."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, InvalidToolCall, SystemMessage, ToolMessage

from mockserver import Asked

from ..catalogue import MUST, SHOULD, Case, rule
from ..drive import Probe
from ..integrations import KEY
from ..target import Target
from ..verdict import Broken, NotApplicable
from ..wording import brief, describe_error
from . import scripts
from .asking import METHODS, asked_by

_ROLES: Final = {
    "system": "system", "developer": "system",
    "user": "user", "human": "user",
    "assistant": "assistant", "model": "assistant", "ai": "assistant", "chatbot": "assistant",
    "tool": "tool", "function": "tool",
}  # fmt: skip
"""Providers' words for the roles."""
_ID: Final = "call00001"
"""An id of a call that each provider accepts: Mistral asks for nine letters and digits."""
_TALK: Final = (
    SystemMessage("Be brief."),
    HumanMessage("Is the moon full?"),
    AIMessage("It is full."),
    HumanMessage("Of what?"),
)
_ROUND: Final = (
    SystemMessage("Be brief."),
    HumanMessage("What is the weather in Paris?"),
    AIMessage("", tool_calls=[{"name": "get_weather", "args": {"city": "Paris"}, "id": _ID, "type": "tool_call"}]),
    ToolMessage("fine", tool_call_id=_ID, name="get_weather"),
    AIMessage("It is fine."),
    HumanMessage("And tomorrow?"),
)
_CONVERSATIONS: Final[Mapping[str, Sequence[BaseMessage]]] = {
    "talk": _TALK,
    "unicode": (HumanMessage("".join(scripts.UNICODE)), AIMessage("".join(scripts.MARKUP)), HumanMessage("  \n so? ")),
    "blocks": (
        HumanMessage([{"type": "text", "text": "Is the moon full?"}, {"type": "text", "text": "Say."}]),
        AIMessage([{"type": "text", "text": "It is full."}]),
        HumanMessage("Of what?"),
    ),
    "one-role": (HumanMessage("Is the moon full?"), HumanMessage("And of what?")),
}


@rule(
    "REQUEST-01",
    MUST,
    "system, human, AI and tool messages reach the wire in order, with their roles and text",
    cases=lambda target: [
        *(Case(name, messages) for name, messages in _CONVERSATIONS.items()),
        *([] if target.lacks("tools", "sync") else [Case("tool-round", _ROUND)]),
    ],
    hint="a converter that knows strings alone loses lists of blocks; one that joins messages loses their order",
    mend="convert each message by itself, all of its text",
    source="langchain_core.messages; BaseChatModel._generate(messages)",
)
def messages_reach_the_wire(probe: Probe, case: Case) -> None:
    probe.play(scripts.PLAIN)
    wanted = [said for message in case.value for said in _said(message)]
    for method in METHODS:
        model = probe.with_tools(scripts.TOOLS) if case.name == "tool-round" else probe.model()
        _in_order(wanted, asked_by(probe, method, _copies(case.value), on=model))


def _copies(messages: Sequence[BaseMessage]) -> list[BaseMessage]:
    """Messages that a call may modify without harm to the next; whether it does is for REQUEST-05 to say."""
    return [message.model_copy(deep=True) for message in messages]


def _said(message: BaseMessage) -> Iterator[tuple[str, str]]:
    """Role and text for each text of a message; what tools answer is told apart from what the user says."""
    role = _ROLES[message.type]
    if isinstance(message, AIMessage) and message.tool_calls:
        yield "call", str(message.tool_calls[0]["name"])
    elif isinstance(message, ToolMessage):
        yield "result", ""
    elif isinstance(message.content, str):
        yield role, message.content
    else:
        yield from ((role, str(part["text"])) for part in message.content if isinstance(part, dict))


def _in_order(wanted: list[tuple[str, str]], asked: Asked) -> None:
    """Whether the request says each of these, in this order; messages of one role may be one on the wire."""
    told = list(_told(asked))
    at, start = 0, 0
    for role, text in wanted:
        while at < len(told) and not (told[at][0] == role and text in told[at][1][start:]):
            at, start = at + 1, 0
        if at == len(told):
            raise Broken(f"{role}: {text!r}, in its place", f"{brief(told)}")
        start = told[at][1].index(text, start) + len(text)
        if role in ("call", "result"):
            at, start = at + 1, 0


def _told(asked: Asked) -> Iterator[tuple[str, str]]:
    for message in asked.messages:
        role = _ROLES.get(message.role, message.role)
        if message.tool_results or role == "tool":
            yield "result", ""
        if message.text and role != "tool" and not (message.tool_results and role != "user"):
            yield role, message.text
        if message.tool_calls:
            yield "call", "get_weather"


@rule(
    "REQUEST-04",
    MUST,
    "stream asks for a stream, invoke for none (or sums one); the bodies are otherwise equal",
    needs=("stream",),
    cases=lambda target: [
        Case("plain", {}),
        *([Case("settings", values)] if (values := target.with_settings(temperature=0.5, max_tokens=64)) else []),
    ],
    hint="two ways to build a body drift apart; settings then hold for one of them",
    mend="build both bodies in one place",
    source="langchain-ai/langchain-google#309",
)
def bodies_are_equal(probe: Probe, case: Case) -> None:
    probe.play(scripts.PLAIN)
    tools = [] if probe.target.lacks("tools", probe.form) else scripts.TOOLS
    model = probe.with_tools(tools, **case.value) if tools else probe.model(**case.value)
    invoked, again, streamed = (asked_by(probe, method, _copies(_TALK), on=model) for method in ("invoke", *METHODS))
    if not streamed.stream:
        raise Broken(
            f"{probe.name('stream')} asks for a stream", "it asks for a whole answer", because=streamed.request.path
        )
    one, other, third = (_plain(asked.body) for asked in (invoked, streamed, again))
    # What differs between two calls of one method, such as a request's own id, says nothing.
    names = [name for name in {**one, **other} if one.get(name) == third.get(name)]
    if different := [name for name in names if one.get(name) != other.get(name)]:
        name = different[0]
        raise Broken(
            f"{name}: {brief(one.get(name))} (as {probe.name('invoke')})", f"{brief(other.get(name))} (stream)"
        )


def _plain(body: Mapping[str, Any]) -> dict[str, Any]:
    """A body without what says that it is to be streamed, wherever that stands."""
    kept = {name: value for name, value in body.items() if "stream" not in name.lower()}
    return {name: _plain(value) if isinstance(value, dict) else value for name, value in kept.items()}


@rule(
    "REQUEST-05",
    MUST,
    "the caller's messages, tools, stop sequences and config are not modified",
    cases=lambda target: [
        Case("messages", list(_TALK)),
        *([] if target.lacks("tools", "sync") else [Case("tools", list(_ROUND))]),
    ],
    hint="a converter that pops a field, or appends the system prompt, changes what the caller sends next",
    mend="convert copies",
    source="langchain_core.runnables.Runnable.invoke: inputs are the caller's",
)
def arguments_stay_as_they_are(probe: Probe, case: Case) -> None:
    probe.play(scripts.PLAIN)
    given: dict[str, Any] = {
        "messages": case.value,
        "stop": ["END"],
        "config": {"tags": ["one"], "metadata": {"n": {"m": 1}}, "callbacks": [BaseCallbackHandler()]},
        "tools": [_described()],
    }
    before = {name: _frozen(value) for name, value in given.items()}
    model = _with_described(probe, given["tools"]) if case.name == "tools" else probe.model()
    stop = {} if probe.target.lacks("stop", probe.form) else {"stop": given["stop"]}
    for method in METHODS:
        asked_by(probe, method, given["messages"], on=model, config=given["config"], **stop)
        for name, value in given.items():
            if _frozen(value) != before[name]:
                raise Broken(
                    f"{name} as they were: {before[name][:120]}", _frozen(value)[:120], because=probe.name(method)
                )


def _with_described(probe: Probe, tools: list[dict[str, Any]]) -> Any:
    """The model with these tools.

    Raises:
        NotApplicable: it does not take tools that are described so, which is for TOOL-09 to say.
    """
    try:
        return probe.with_tools(tools)
    except Broken as broken:
        raise NotApplicable(f"bind_tools does not take OpenAI's description of a tool: {broken.__cause__}") from None


def _described() -> dict[str, Any]:
    """A tool as OpenAI describes it, which most packages take."""
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    function = {"name": "get_weather", "description": "Tell the weather.", "parameters": schema}
    return {"type": "function", "function": function}


def _frozen(value: Any) -> str:
    parts = value if isinstance(value, list) else [value]
    return repr([part.model_dump() if isinstance(part, BaseMessage) else part for part in parts])


@rule(
    "REQUEST-06",
    MUST,
    "the key is sent in the provider's header alone: in no URL, no body and no other header",
    forms="s",
    hint="URLs and bodies are logged; a key in them is a key in the logs",
    mend="send the key in the header that the provider names",
    source="RFC 9110, 17.9 (sensitive information in URIs)",
)
def key_is_in_its_header(probe: Probe, case: Case) -> None:
    probe.play(scripts.PLAIN)
    for method in METHODS:
        asked_by(probe, method)
    for exchange in probe.exchanges:
        places = {"the URL": exchange.path, "the body": exchange.body.decode(errors="replace")}
        places |= {f"the header {name}": value for name, value in exchange.headers.items() if not _is_for_keys(name)}
        if found := [place for place, text in places.items() if KEY in text]:
            raise Broken("the key in a header for keys alone", f"it is in {found[0]}", because=exchange.describe())
    if not any(KEY in value for exchange in probe.exchanges for value in exchange.headers.values()):
        raise NotApplicable(f"{probe.target.label} sends another key than the placeholder")


def _is_for_keys(header: str) -> bool:
    return any(word in header.lower() for word in ("auth", "key", "token"))


_INVALID: Final = InvalidToolCall(
    name="get_weather", args='{"city": "Par', id=_ID, error="not JSON", type="invalid_tool_call"
)
_BROKEN_ROUND: Final = (
    HumanMessage("What is the weather in Paris?"),
    AIMessage("Let me look.", invalid_tool_calls=[_INVALID]),
    ToolMessage("The arguments are no JSON.", tool_call_id=_ID, name="get_weather", status="error"),
)


@rule(
    "REQUEST-07",
    MUST,
    "the request is valid: the provider's own checks accept it",
    cases=lambda target: [Case("talk", (list(_TALK), {})), *_accepted(target)],
    hint="a provider refuses what it does not know, and what is out of its place",
    mend="send what the provider's reference has, for the version of its API that is asked for",
    source="the checks of mockserver's wires, each with its source",
)
def provider_accepts_it(probe: Probe, case: Case) -> None:
    messages, fields = case.value
    probe.play(scripts.PLAIN)
    has_tools = any(isinstance(message, ToolMessage) for message in messages) or case.name == "tools"
    model = probe.with_tools(scripts.TOOLS, **fields) if has_tools else probe.model(**fields)
    for method in METHODS:
        before = len(probe.exchanges)
        call = probe.iterate("stream", messages, on=model).drain() if method == "stream" else None
        error = (call or probe.call(method, messages, on=model)).error()
        refused = next((each for each in probe.exchanges[before:] if each.refused), None)
        if refused or error:
            told = f"{refused.refused} ({refused.refused_at})" if refused else describe_error(error or Exception())
            raise Broken(
                f"{probe.name(method)} is answered", told, because="the provider refuses it" if refused else ""
            )


def _accepted(target: Target) -> Iterator[Case]:
    for name, value in {"temperature": 0.5, "max_tokens": 64, "stop": ["END"]}.items():
        has_place = name != "stop" or not target.lacks("stop", "sync")
        if has_place and (fields := target.with_settings(**{name: value})):
            yield Case(name.replace("_", "-"), (list(_TALK), fields))
    if not target.lacks("tools", "sync"):
        yield Case("tools", (list(_TALK), {}))
        yield Case("tool-round", (list(_ROUND), {}))
        why = "SHOULD here: providers differ in whether they take back arguments that are no JSON"
        yield Case("invalid-call", (list(_BROKEN_ROUND), {}), level=SHOULD, why=why)
