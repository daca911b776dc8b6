"""watsonx text chat: what is written is read back, what is asked is understood, asides are answered."""

import base64
import json
from dataclasses import replace
from typing import Any, Final

import httpx
import pytest
from hypothesis import given

import mockserver
from mockserver import (
    WIRES,
    Delivery,
    Fault,
    Media,
    Reasoning,
    Refusal,
    Refused,
    Reply,
    Request,
    Text,
    ToolCall,
    Turn,
    Unencodable,
    Usage,
)
from mockserver.frames import join
from mockserver.framings import sse
from mockserver.wires import Message, wire_for

from ..helpers import ask
from ..strategies import LAW
from .fields import holds_streamed, holds_whole, replies, text_calls

WIRE: Final = WIRES["watsonx"]
REPLIES: Final = replies(WIRE, Reasoning, Text, Refusal, ToolCall, calls=text_calls)
PATH: Final = "/ml/v1/text/chat"
USER: Final = [{"role": "user", "content": [{"type": "text", "text": "hi"}]}]
ASKED: Final = {"model_id": "ibm/granite", "project_id": "p", "messages": USER}
KEY: Final = {"authorization": "Bearer t"}


def asked(path: str = PATH, headers: dict[str, str] = KEY, **fields: Any) -> mockserver.Asked:
    return WIRE.read(Request(path=path, headers=headers, body=json.dumps({**ASKED, **fields}).encode()))


@LAW
@given(reply=REPLIES)
def test_streams_are_read_back(reply: Reply) -> None:
    """A streamed reply decodes to itself, and its frames are told apart by their bytes."""
    holds_streamed(WIRE, reply)


@LAW
@given(reply=REPLIES)
def test_whole_bodies_are_read_back(reply: Reply) -> None:
    """A whole body decodes to the reply with each block in one piece."""
    holds_whole(WIRE, reply)


def test_calls_may_take_turns() -> None:
    """Pieces of calls say which call they belong to."""
    calls = (ToolCall(id="a", name="f", pieces=("{", "}")), ToolCall(id="b", name="g", pieces=("[", "]")))
    holds_streamed(WIRE, Reply(blocks=calls, order=(0, 1, 1, 0), id="i", model="m"))


def test_events_are_numbered_and_named() -> None:
    """Each has an id, the name `message` and data; the usage stands in the last, without choices."""
    frames = WIRE.frames(Reply.of("a", "b", id="i", model="m"))
    assert [frame.data.split(b"\n")[0] for frame in frames] == [b"id: %d" % number for number in range(1, 6)]
    events = [event for frame in frames for event in sse.events(frame.data)]
    assert {event.name for event in events} == {"message"}
    assert json.loads(events[-1].data)["choices"] == []
    assert [frame.kind for frame in frames] == ["start", "piece", "piece", "finish", "usage"]


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply.of(Media(mime_type="image/png", data="AAAA")), "watsonx has no place for Media"),
        (Reply.of(ToolCall(name="f"), "a"), "carries these blocks in this order: Reasoning, Text, Refusal"),
        (Reply.of(ToolCall(name="f", signature="s")), "no place for a signature"),
        (Reply.of("a", finish_reason="pause"), "watsonx has no finish reason 'pause'; it has stop"),
        (Reply.of("a", usage=Usage(input_tokens=2, output_tokens=2, cache_creation=1)), "tokens written to a cache"),
    ],
)
@pytest.mark.parametrize("method", ["frames", "whole"])
def test_what_watsonx_has_no_place_for_is_unencodable(reply: Reply, words: str, method: str) -> None:
    """Streamed or whole, it refuses what it would lose, and says what."""
    with pytest.raises(Unencodable, match=words):
        getattr(WIRE, method)(reply)


@pytest.mark.parametrize(
    ("data", "unknown"),
    [
        ("nonsense", "data 'nonsense'"),
        ('{"new":1}', "chunk key 'new'"),
        ('{"choices":[{"delta":{"new":1}}]}', "delta key 'new'"),
        ('{"choices":[{"delta":{},"finish_reason":"bored"}]}', "finish reason 'bored'"),
    ],
)
def test_what_is_not_understood_is_named(data: str, unknown: str) -> None:
    """Nothing is passed over in silence."""
    assert WIRE.decode_stream(sse.encode(data)).unknown == (unknown,)


@pytest.mark.parametrize("data", ["[]", '{"choices":[5]}', '{"choices":[{"delta":5}]}', '{"choices":null,"usage":5}'])
def test_decoding_never_fails(data: str) -> None:
    """Whatever a server once sent gives a reply."""
    assert WIRE.decode_stream(sse.encode(data)).reply.finish_reason == "unfinished"
    assert WIRE.decode_whole(data.encode()).reply.blocks == ()
    assert WIRE.kind_of(sse.encode(data))


def test_an_error_event_is_read() -> None:
    """The words of the error are kept, and what came before them."""
    stream = join(WIRE.frames(Reply.of("a"))[:2]) + WIRE.error_frame("out of fish").data
    found = WIRE.decode_stream(stream)
    assert (found.reply.text, found.error) == ("a", "out of fish")
    assert [frame.kind for frame in WIRE.label(WIRE.split(stream))] == ["start", "piece", "error"]
    assert WIRE.decode_whole(WIRE.error(Refused(500, "no"))).error == "no"


def test_a_request_is_understood() -> None:
    """Roles, texts of either form, ids of calls and results, tools, stops; the path says whether it streams."""
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    found = asked(
        "/ml/v1/text/chat_stream",
        messages=[
            {"role": "system", "content": "Be brief."},
            *USER,
            {"role": "assistant", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c1", "content": "r"},
        ],
        tools=[{"type": "function", "function": {"name": "f"}}],
        stop=["x"],
    )
    assert found.messages == (
        Message("system", "Be brief."),
        Message("user", "hi"),
        Message("assistant", "", ("c1",)),
        Message("tool", "r", tool_results=("c1",)),
    )
    assert (found.model, found.tools, found.stop, found.stream) == ("ibm/granite", ("f",), ("x",), True)
    assert not asked().stream
    WIRE.check(found)


@pytest.mark.parametrize(
    ("found", "status", "at"),
    [
        (asked(headers={}), 401, ""),
        (asked(messages=[]), 400, "$.messages"),
        (asked(model_id=None), 400, "$.model_id"),
        (asked(project_id=None), 400, "$.project_id"),
    ],
)
def test_what_is_required_is_checked(found: mockserver.Asked, status: int, at: str) -> None:
    """A token, messages, a model, and a project or space; a deployment has the last two."""
    with pytest.raises(Refused) as caught:
        WIRE.check(found)
    assert (caught.value.status, caught.value.at) == (status, at)
    if at in ("$.model_id", "$.project_id"):
        request = replace(found.request, path="/ml/v1/deployments/d/text/chat")
        WIRE.check(replace(found, request=request))


def test_a_space_is_as_good_as_a_project() -> None:
    """One of the two is needed."""
    WIRE.check(asked(project_id=None, space_id="s"))


def test_it_is_played_over_a_socket() -> None:
    """Both paths, an HTTP error in watsonx's shape, and a fault in the middle."""
    reply = Reply.of("a", "b", id="i", model="m")
    cut = Turn(reply=reply, delivery=Delivery(fault=Fault("error", before=1, message="out of fish")))
    with mockserver.serve([reply, reply, Refused(429, "slow down"), cut]) as server:
        whole, stream, refused, broken = (
            ask(server.url + path, json=ASKED, headers=KEY) for path in (PATH, f"{PATH}_stream", PATH, f"{PATH}_stream")
        )
    assert WIRE.decode_whole(whole.content).reply == reply.whole()
    assert WIRE.decode_stream(stream.content).reply == reply
    assert (refused.status_code, refused.json()["status_code"]) == (429, 429)
    assert refused.json()["errors"][0]["code"] == "rate_limit_reached_requests"
    assert WIRE.decode_stream(broken.content).error == "out of fish"


def claims(token: str) -> dict[str, Any]:
    _, part, _ = token.split(".")
    found = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    assert isinstance(found, dict)
    return found


def test_what_clients_ask_for_first_is_answered() -> None:
    """The version, a project or space by its id, models, and tokens that do not end, from either place."""
    with mockserver.serve() as server:
        found = {
            path: httpx.request(method, server.url + path, verify=False).json()
            for method, path in [
                ("GET", "/ml/wml_services/v2/version"),
                ("GET", "/v2/projects/p-1"),
                ("GET", "/v2/spaces/s-1"),
                ("GET", "/ml/v1/foundation_model_specs"),
                ("POST", "/icp4d-api/v1/authorize"),
                ("POST", "/identity/token"),
            ]
        }
        assert len(server.asides) == len(found)
    version, project, space, models, icp, iam = found.values()
    assert version == {"version": "5.2.0"}
    assert (project["metadata"]["guid"], project["entity"]["storage"]["type"]) == ("p-1", "bmcos_object_storage")
    assert space["metadata"]["id"] == "s-1"
    assert all(model["model_id"] for model in models["resources"])
    assert {claims(token)["exp"] for token in (icp["token"], iam["access_token"])} == {iam["expiration"]}
    assert WIRE.aside(Request(method="POST", path="/v2/projects/p-1")) is None


def test_its_paths_are_its_own() -> None:
    """With any prefix in front, and of a deployment."""
    assert wire_for("/t/ml/v1/text/chat") is WIRE
    assert wire_for("/ml/v1/deployments/d/text/chat_stream") is WIRE
    assert wire_for("/text/chat") is not WIRE
