"""What every wire is: one provider's protocol, turned both ways, without I/O."""

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from ..errors import Refused, Unencodable
from ..frames import Frame, FrameKind
from ..reply import Reply


@dataclass(frozen=True, slots=True)
class Message:
    """A message of the conversation asked: the provider's role, its text, and the calls or results it carries."""

    role: str
    text: str
    tool_call_ids: tuple[str, ...] = ()


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
        stop: stop sequences.
        body: the JSON body as sent.
    """

    wire: str
    model: str
    stream: bool = False
    stream_usage: bool = True
    messages: tuple[Message, ...] = ()
    tools: tuple[str, ...] = ()
    stop: tuple[str, ...] = ()
    body: Mapping[str, Any] = field(default_factory=dict)

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
    """

    frames: tuple[Frame, ...]
    source: str


class Wire(ABC):
    """One provider protocol. Instances hold no state."""

    name: ClassVar[str]
    """Short name, as scripts and stanzas write it."""
    stream_type: ClassVar[str] = "text/event-stream; charset=utf-8"
    """Content type of a streamed answer."""
    finish_reasons: ClassVar[Mapping[str, str]]
    """Neutral finish reason to the provider's word for it."""
    id_prefix: ClassVar[str]
    """How the provider's ids of answers begin."""
    error_frame_source: ClassVar[str] = ""
    """Where the shape of an error in the middle of a stream is documented; `""` where it is not."""
    repeats_finish: ClassVar[str] = ""
    """Where the provider was recorded repeating the finish reason within one stream; `""` where it was not."""

    @abstractmethod
    def matches(self, method: str, path: str) -> bool:
        """Whether a request of this method and path belongs to this wire, whatever prefix the path has."""

    @abstractmethod
    def read(self, headers: Mapping[str, str], body: bytes) -> Asked:
        """The conversation asked.

        Raises:
            Refused: the provider would not accept it.
        """

    @abstractmethod
    def whole(self, reply: Reply) -> bytes:
        """The body of an answer that is not streamed. Its id and model are set."""

    @abstractmethod
    def frames(self, reply: Reply, *, usage: bool = True) -> tuple[Frame, ...]:
        """The frames of a streamed answer. `usage`: whether the client asked for it, where it must."""

    @abstractmethod
    def error(self, refused: Refused) -> bytes:
        """The body of an HTTP error."""

    @abstractmethod
    def error_frame(self, message: str) -> Frame:
        """An error in the middle of a stream."""

    @abstractmethod
    def contentless(self, reply: Reply) -> Mapping[str, Contentless]:
        """By name, frames without content that may stand between any two frames of a stream of `reply`."""

    @abstractmethod
    def after_end(self, reply: Reply) -> tuple[Frame, ...]:
        """Frames with text that must not be read, since they come after the terminal frame."""

    @abstractmethod
    def finish_again(self, reply: Reply) -> Frame:
        """The finish reason said a second time, as providers that repeat it do."""

    @abstractmethod
    def decode_whole(self, body: bytes) -> Decoded:
        """The reply in a recorded body."""

    @abstractmethod
    def decode_stream(self, stream: bytes) -> Decoded:
        """The reply in a recorded stream."""

    @abstractmethod
    def kind_of(self, data: bytes) -> FrameKind:
        """What a recorded frame does."""

    def label(self, parts: Iterable[bytes]) -> tuple[Frame, ...]:
        """Recorded bytes, cut into frames, as frames of this wire: pieces are numbered, so that gates find them."""
        frames: list[Frame] = []
        number = 0
        for data in parts:
            kind = self.kind_of(data)
            frames.append(Frame(data, kind, number if kind == "piece" else None))
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
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


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
