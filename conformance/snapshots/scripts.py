"""The scripts of which transcripts are kept, and the methods that read them."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from mockserver import Delivery, Fault, Reasoning, Reply, Text, Turn, Usage, Wire

from ..catalogue import Form
from ..rules import scripts as replies
from ..rules.fault import MESSAGE
from ..target import Target
from . import PREFIX

Answer: TypeAlias = Reply | Turn

_TEXT: Final = replace(replies.PLAIN, id="mock")
SCRIPTS: Final[dict[str, Answer]] = {
    "text": _TEXT,
    "tools": replace(replies.CALLS, blocks=replies.CALLS.blocks[:1], id="mock"),
    "parallel-tools": replace(replies.CALLS, id="mock"),
    "reasoning": replace(_TEXT, blocks=(Reasoning(("Which ", "moon?")), Text(("The full ", "one.")))),
    "usage": replace(_TEXT, usage=Usage(input_tokens=21, output_tokens=34)),
    "error": Turn(reply=_TEXT, delivery=Delivery(fault=Fault("error", before=2, message=MESSAGE))),
}
"""What the server answers, by name; the last breaks off with the provider's error after two pieces."""
METHODS: Final[dict[str, tuple[Form, ...]]] = {
    "invoke": ("sync", "async"),
    "stream": ("sync", "async"),
    "events-v2": ("async",),
    "events-v3": ("sync", "async"),
}
"""How it is read, and in which forms."""


@dataclass(frozen=True, slots=True)
class Transcript:
    """One that is kept: a script, read by a method in a form."""

    target: Target
    method: str
    script: str
    form: Form

    @property
    def name(self) -> str:
        """As in its node id: ``transcript-stream-text-sync``."""
        return f"{PREFIX}{self.key}"

    @property
    def key(self) -> str:
        """As in the file: ``stream-text-sync``."""
        return f"{self.method}-{self.script}-{self.form}"

    @property
    def needs(self) -> tuple[str, ...]:
        """Capabilities without which there is none."""
        of_method = {"invoke": (), "events-v3": ("block events",)}.get(self.method, ("stream",))
        of_script = {"tools": ("tools",), "parallel-tools": ("tools",), "reasoning": ("reasoning",)}
        return (*of_method, *of_script.get(self.script, ()))

    def answer(self, wire: Wire) -> Answer:
        """The script, as the wire says it."""
        answer = SCRIPTS[self.script]
        return replies.fitted(wire, answer) if isinstance(answer, Reply) else answer


def transcripts(target: Target) -> Iterator[Transcript]:
    """All that are kept of a target; none where its client takes no URL."""
    if target.stanza.in_process:
        return
    for method, forms in METHODS.items():
        for script in SCRIPTS:
            if method == "invoke" and script == "error":
                continue  # breaks off in the middle of a stream
            yield from (Transcript(target, method, script, form) for form in forms)
