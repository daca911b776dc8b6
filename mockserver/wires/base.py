"""What every wire is: one provider's protocol, turned both ways, without I/O."""

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, ClassVar, Final, Literal, TypeAlias

from ..errors import Refused, Unencodable
from ..frames import Frame, FrameKind
from ..framings import sse
from ..recording import Recording
from ..reply import Reply, characters

Framing: TypeAlias = Literal["sse", "ndjson", "json-array", "event-stream"]
"""How a stream is cut into frames: server-sent events, a JSON document a line, the elements of one JSON array, or
messages of `application/vnd.amazon.eventstream`."""

SETTINGS: Final = ("temperature", "top_p", "max_tokens")
"""What a request may set, as `Asked.settings` calls it, whatever the provider does."""

_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """An HTTP request.

    Args:
        method: in capitals.
        path: without the query, percent-decoded.
        query: its parameters.
        headers: by name in lower case.
        body: the bytes sent.
    """

    method: str = "POST"
    path: str = "/"
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Attached:
    """What a message holds beside text.

    Args:
        kind: ``image``, ``audio``, ``video`` or ``file``.
        mime_type: as the request tells it; `""` where it does not.
        digest: the SHA-256 of its bytes, in hexadecimal; `""` where the request has none that can be read.
        url: where it is to be fetched; `""` where the request holds it.
    """

    kind: str
    mime_type: str = ""
    digest: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """A message of the conversation asked.

    Args:
        role: the provider's word.
        text: its text.
        tool_calls: ids of the calls that it makes (names, on a wire whose calls have no ids).
        tool_results: ids of the calls whose results it brings (names, likewise).
        attached: the images, sounds and files in it, in order.
    """

    role: str
    text: str = ""
    tool_calls: tuple[str, ...] = ()
    tool_results: tuple[str, ...] = ()
    attached: tuple[Attached, ...] = ()


@dataclass(frozen=True, slots=True)
class Offered:
    """A tool that the model may call. `schema`: the JSON Schema of its arguments, as the request has it."""

    name: str
    description: str = ""
    schema: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request as the provider understands it.

    Args:
        wire: name of the wire.
        model: the model asked for.
        stream: whether pieces are asked for.
        stream_usage: whether a stream is to end with the usage.
        messages: the conversation in order; a system prompt that the wire keeps elsewhere comes first.
        tools: names of the tools offered.
        offered: the functions among them, in full.
        tool_choice: ``auto``, ``any``, ``none`` or the name of the tool that must be called; `None` if left out.
        stop: stop sequences.
        settings: what else is set of `SETTINGS`, by these names.
        body: the JSON body as sent.
        request: the HTTP request.
    """

    wire: str
    model: str
    stream: bool = False
    stream_usage: bool = True
    messages: tuple[Message, ...] = ()
    tools: tuple[str, ...] = ()
    offered: tuple[Offered, ...] = ()
    tool_choice: str | None = None
    stop: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    body: Mapping[str, Any] = field(default_factory=dict)
    request: Request = field(default_factory=Request)

    @property
    def text(self) -> str:
        """The text of the last message of the user, or `""`."""
        return next((message.text for message in reversed(self.messages) if message.role == "user"), "")


@dataclass(frozen=True, slots=True)
class Decoded:
    """A recording as it was understood. `unknown`: what was not, one line each."""

    reply: Reply
    unknown: tuple[str, ...] = ()
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Contentless:
    """Frames that carry no content and that a client must pass over.

    Args:
        frames: the frames.
        source: where the provider says, or was recorded, that it sends them; `""` where it was only seen elsewhere.
        places: the frames before a piece of this number, or before the finish (``finish``), where the place matters.
    """

    frames: tuple[Frame, ...]
    source: str
    places: Mapping[int | str, tuple[Frame, ...]] = field(default_factory=dict)

    def before(self, place: int | str) -> tuple[Frame, ...]:
        """The frames as they are before this piece, or before the finish."""
        return self.places.get(place, self.frames)


@dataclass(frozen=True, slots=True)
class Variant:
    """A stream that says the same in another way.

    Args:
        frames: the frames of all of it.
        source: where the provider says, or was recorded, that it sends it so; `""` where only others do.
    """

    frames: tuple[Frame, ...]
    source: str


class Wire(ABC):
    """One provider protocol. Instances hold no state that changes."""

    name: str
    """Short name, as scripts and stanzas write it."""
    family: str = ""
    """Name of the protocol of which this is a provider's dialect; its own name where it is none."""
    method: ClassVar[str] = "POST"
    """The HTTP method of its requests."""
    hosts: tuple[str, ...] = ()
    """Hosts of the providers that speak it, as recordings name them; a part that may vary is `*`."""
    framing: ClassVar[Framing] = "sse"
    stream_type: ClassVar[str] = "text/event-stream; charset=utf-8"
    """Content type of a streamed answer."""
    whole_type: ClassVar[str] = "application/json"
    """Content type of an answer that is not streamed, and of errors."""
    finish_reasons: Mapping[str, str]
    """Neutral finish reason to the provider's word for it."""
    id_prefix: str
    """How the provider's ids of answers begin."""
    error_frame_source: str = ""
    """Where the shape of an error in the middle of a stream is documented; `""` where it is not."""
    takes: frozenset[str] = frozenset({"stop"})
    """What its requests can hold that those of others cannot: `stop` sequences, and of what is `Attached` the kinds
    `image`, `audio` and `file`.
    """
    sends_reasoning: bool = True
    """Whether the provider itself sends what this wire carries as reasoning; `False` where only servers like its do."""
    call_ids: bool = True
    """Whether each call has an id of the provider's, by which its result is told; where not, clients make up ids."""
    chooses_tools: bool = True
    """Whether a request can say which tool must be called."""
    tells_finish: frozenset[str] = frozenset({"whole", "stream"})
    """Which answers say why they ended: `whole` ones, and those of a `stream`. Why others did is inferred from them."""
    repeats_finish: str = ""
    """Where the provider was recorded repeating the finish reason within one stream; `""` where it was not."""

    def __init__(self) -> None:
        self.family = self.family or self.name

    @abstractmethod
    def matches(self, path: str) -> bool:
        """Whether this path belongs to this wire, whatever prefix it has."""

    def recognises(self, request: Request) -> bool:
        """Whether a request whose path no wire knows is by its headers meant for this provider."""
        return False

    def streams(self, path: str) -> bool:
        """Whether the path alone says that pieces are asked for."""
        return False

    @abstractmethod
    def read(self, request: Request) -> Asked:
        """The conversation asked, read leniently. `Asked.wire` names the dialect that answers, where the request tells.

        Raises:
            Refused: it cannot be understood at all.
        """

    def check(self, asked: Asked) -> None:  # noqa: B027 - a provider that accepts all that can be read needs none
        """What the provider does not accept, though it can be understood.

        Raises:
            Refused: in the provider's words, with the JSON path of the fault.
        """

    def unknown(self, request: Request) -> Refused:
        """What the provider says to a path or method that it does not have."""
        if self.matches(request.path):
            return Refused(405, f"Method {request.method} is not allowed for {request.path}; use {self.method}.")
        return Refused(404, f"Invalid URL ({request.method} {request.path})")

    def aside(self, request: Request) -> Recording | None:
        """The answer to a call that clients of this provider make beside the main one, such as a list of models;
        `None` where it is no such call.
        """
        return None

    @abstractmethod
    def whole(self, reply: Reply) -> bytes:
        """The body of an answer that is not streamed. Its id and model are set."""

    @abstractmethod
    def frames(self, reply: Reply, *, usage: bool = True) -> tuple[Frame, ...]:
        """The frames of a streamed answer. `usage`: whether the client asked for it, where it must."""

    def echoing(self, frames: tuple[Frame, ...], asked: Asked) -> tuple[Frame, ...]:
        """The frames with what the provider repeats in its answer of what was asked."""
        return frames

    def linked(self, frames: tuple[Frame, ...]) -> tuple[Frame, ...]:
        """Frames as they are sent one after the other, once some are put in or left out; for framings in which the
        bytes of a frame depend on its place.
        """
        return frames

    def headers(self, reply: Reply) -> Mapping[str, str]:
        """Headers of an answer, beside its content type."""
        return _NOTHING

    @abstractmethod
    def error(self, refused: Refused) -> bytes:
        """The body of an HTTP error."""

    def error_headers(self, refused: Refused) -> Mapping[str, str]:
        """Headers of an HTTP error, beside its content type and those that `refused` brings."""
        return _NOTHING

    @abstractmethod
    def error_frame(self, message: str) -> Frame:
        """An error in the middle of a stream."""

    @abstractmethod
    def contentless(self, reply: Reply) -> Mapping[str, Contentless]:
        """By name, frames without content that may stand between any two frames of a stream of `reply`."""

    def usage_variants(self, reply: Reply) -> Mapping[str, Variant]:
        """By name, streams of `reply` that count the same tokens in other places than `frames` does."""
        return {}

    def call_variants(self, reply: Reply) -> Mapping[str, Variant]:
        """By name, streams of `reply` that make the same calls in other ways than `frames` does."""
        return {}

    def after_end(self, reply: Reply) -> tuple[Frame, ...]:
        """Frames with text that must not be read, since they come after the terminal frame; none where no frame
        terminates the stream.
        """
        return ()

    def finish_again(self, reply: Reply) -> Frame | None:
        """The finish reason said a second time, as providers that repeat it do; `None` where no frame can say it."""
        return None

    @abstractmethod
    def decode_whole(self, body: bytes) -> Decoded:
        """The reply in a recorded body."""

    @abstractmethod
    def decode_stream(self, stream: bytes) -> Decoded:
        """The reply in a recorded stream."""

    @abstractmethod
    def kind_of(self, data: bytes) -> FrameKind:
        """What a recorded frame does first of all."""

    def also(self, data: bytes) -> tuple[FrameKind, ...]:
        """What else a recorded frame does, on wires whose frames do several things at once."""
        return ()

    def split(self, stream: bytes) -> Iterator[bytes]:
        """A recorded stream cut into frames; joined, they are the stream."""
        return sse.split(stream)

    def label(self, parts: Iterable[bytes]) -> tuple[Frame, ...]:
        """Recorded bytes, cut into frames, as frames of this wire: pieces are numbered, so that gates find them."""
        frames: list[Frame] = []
        number = 0
        for data in parts:
            kind = self.kind_of(data)
            frames.append(Frame(data, kind, number if kind == "piece" else None, self.also(data)))
            number += kind == "piece"
        return tuple(frames)

    def finish_word(self, reply: Reply) -> str:
        """The provider's word for the reply's finish reason.

        Raises:
            Unencodable: the provider has none.
        """
        word = self.finish_reasons.get(reply.finish_reason)
        if word is None:
            known = ", ".join(self.finish_reasons)
            raise Unencodable(f"{self.name} has no finish reason {reply.finish_reason!r}; it has {known}")
        return word

    def finish_reason(self, word: str) -> str | None:
        """The neutral finish reason for the provider's word; `None` where there is none."""
        return next((neutral for neutral, known in self.finish_reasons.items() if known == word), None)


def dumps(value: object) -> str:
    """Compact JSON with characters as they are, as providers send it."""
    return characters(json.dumps(value, ensure_ascii=False, separators=(",", ":")))


def read_object(body: bytes) -> dict[str, Any]:
    """A request's body as a JSON object.

    Raises:
        Refused: it is none.
    """
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        raise Refused(400, "We could not parse the JSON body of your request.") from None
    if not isinstance(value, dict):
        raise Refused(400, f"The body of a request is a JSON object, not {type(value).__name__}.")
    return value


def objects_of(fields: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """The objects in the list `name` of a request; none where it is left out or null.

    Raises:
        Refused: it is no list of objects.
    """
    value = fields.get(name)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise Refused(400, f"Invalid type for '{name}': expected an array of objects.")
    return value


def strings_of(fields: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """The strings in `name` of a request: one string, a list of them, or none where it is left out or null.

    Raises:
        Refused: it is neither.
    """
    value = fields.get(name)
    values = [] if value is None else value if isinstance(value, list) else [value]
    if not all(isinstance(each, str) for each in values):
        raise Refused(400, f"Invalid type for '{name}': expected a string or an array of strings.")
    return tuple(values)


def text_of(content: object) -> str:
    """The text of a message's content: a string, or the text parts of a list."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(str(part.get("text") or "") for part in content if isinstance(part, dict))
    return ""


def recorded_object(data: str | bytes) -> dict[str, Any]:
    """A recorded JSON object; `{}` where it is something else, since recordings hold whatever a server once sent."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
