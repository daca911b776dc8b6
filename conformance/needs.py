"""What rules need of a model, its wire and langchain-core, and why a model has it not."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from mockserver import Reasoning, Reply, Text, Unencodable

from . import compat
from .catalogue import Form

if TYPE_CHECKING:
    from .target import Target

PROFILED: Final[Mapping[str, str]] = {"tools": "tool_calling", "images": "image_inputs"}
"""The capabilities that a profile can deny, and what it calls them. What it says of reasoning and of structured output
is of the provider's model, and not of what the class reads and offers."""


def _core(*least: int) -> Callable[["Target", Form], str | None]:
    def need(self: "Target", form: Form) -> str | None:
        wanted = ".".join(map(str, least))
        return None if least <= compat.CORE_VERSION else f"needs langchain-core {wanted}, and this is {compat.CORE}"

    return need


def _stream(self: "Target", form: Form) -> str | None:
    if self.streams(form):
        return None
    return f"{self.label} has no token streaming ({'_astream' if form == 'async' else '_stream'} is not implemented)"


def _no_stream(self: "Target", form: Form) -> str | None:
    return f"{self.label} has token streaming" if self.streams(form) else None


def _native_async(self: "Target", form: Form) -> str | None:
    if self.native("_agenerate") or self.native("_astream"):
        return None
    return f"{self.label} has no async implementation of its own; the default runs the sync one in a thread"


def _default_async(self: "Target", form: Form) -> str | None:
    if self.native("_agenerate") and (self.native("_astream") or not self.native("_stream")):
        return f"{self.label} implements its async methods itself"
    return None


def _tools(self: "Target", form: Form) -> str | None:
    return None if self.native("bind_tools") else f"{self.label} has no bind_tools"


def _block_events(self: "Target", form: Form) -> str | None:
    if reason := compat.no_block_events():
        return reason
    # langchain-core has no content-block events of a whole answer: it raises NotImplementedError.
    made = compat.makes_block_events(self.model_class, is_async=form == "async")
    return None if made else _stream(self, form)


def _structured(self: "Target", form: Form) -> str | None:
    without = self.wrapper and "with_structured_output" not in self.wrapper.methods
    return f"{self.label} has no with_structured_output" if without else None


def _given(self: "Target", form: Form) -> str | None:
    return None


def _setting(name: str) -> Callable[["Target", Form], str | None]:
    def need(self: "Target", form: Form) -> str | None:
        return None if self.setting(name) else f"{self.label} has no setting for {name.replace('_', ' ')}"

    return need


def _carried(what: str, told: str) -> Callable[["Target", Form], str | None]:
    def need(self: "Target", form: Form) -> str | None:
        return None if what in self.wire.takes else f"requests of the wire {self.wire.name} have no place for {told}"

    return need


def _framed(framing: str, told: str) -> Callable[["Target", Form], str | None]:
    def need(self: "Target", form: Form) -> str | None:
        return None if self.wire.framing == framing else f"streams of the wire {self.wire.name} are not {told}"

    return need


_THOUGHTFUL: Final = Reply(blocks=(Reasoning(("Hm",)), Text(("Yes",))))


def _reasoning(self: "Target", form: Form) -> str | None:
    try:
        self.wire.frames(_THOUGHTFUL)
    except Unencodable as error:
        return f"the wire {self.wire.name} has no reasoning: {error}"
    return None


_NEEDS: Final[Mapping[str, Callable[["Target", Form], str | None]]] = {
    "core>=1.0": _core(1, 0),
    "core>=1.4": _core(1, 4),
    "stream": _stream,
    "no stream": _no_stream,
    "block events": _block_events,
    "native async": _native_async,
    "default async": _default_async,
    "tools": _tools,
    "usage": _given,
    "stop": _carried("stop", "stop sequences"),
    "reasoning": _reasoning,
    "images": _carried("image", "images"),
    "structured output": _structured,
    "retries": _setting("retries"),
    "timeout": _setting("timeout"),
    "server-sent events": _framed("sse", "server-sent events"),
    "JSON lines": _framed("ndjson", "JSON lines"),
    "event stream": _framed("event-stream", "messages of an AWS event stream"),
    "JSON array": _framed("json-array", "the elements of a JSON array"),
}


def lacking(target: "Target", need: str, form: Form) -> str | None:
    """Why a rule that needs this cannot run on a model, or `None` where it can."""
    if target.wrapper and not target.wrapper.passes and need == "block events":
        return f"{target.label} gives {target.wrapper.kind}, which has no content-block events"
    if need in target.stanza.lacks:
        return f"{target.label} does not claim {need!r}"
    if need in PROFILED and target.profile.get(PROFILED[need]) is False:
        return f"the profile of {target.label} says that {PROFILED[need]} is False"
    return _NEEDS[need](target, form)
