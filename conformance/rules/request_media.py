"""REQUEST: images, sounds and files in messages."""

import base64
import hashlib
from collections.abc import Iterator
from typing import Any, Final

from langchain_core.messages import HumanMessage

from ..catalogue import MUST, SHOULD, Case, rule
from ..drive import Probe
from ..target import Target
from ..verdict import Broken
from ..wording import brief, describe_error
from . import scripts
from .asking import METHODS

_PNG: Final = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
"""An image of one pixel."""
_WAV: Final = base64.b64decode("UklGRigAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQQAAACA/wB/")
"""A sound of four samples."""
_PDF: Final = b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
_HELD: Final[dict[str, tuple[bytes, str, str]]] = {
    "image": (_PNG, "image/png", "image_inputs"),
    "audio": (_WAV, "audio/wav", "audio_inputs"),
    "file": (_PDF, "application/pdf", "pdf_inputs"),
}
"""For each kind its bytes, its type, and what a profile calls it."""


def _block(kind: str) -> dict[str, Any]:
    """A standard content block that holds data of this kind."""
    raw, mime_type, _ = _HELD[kind]
    named = {"filename": "paper.pdf"} if kind == "file" else {}
    return {"type": kind, "base64": base64.b64encode(raw).decode(), "mime_type": mime_type, **named}


def _cases(target: Target) -> Iterator[Case]:
    for kind, (_, _, claim) in _HELD.items():
        if kind not in target.wire.takes or target.profile.get(claim) is False or "images" in target.stanza.lacks:
            continue
        claimed = target.profile.get(claim) is True
        why = f"SHOULD here: no profile claims {claim}, and not each model of the class need take it"
        yield Case(kind, _block(kind), level=None if claimed else SHOULD, why="" if claimed else why)
        if kind == "image":
            url = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{_block(kind)['base64']}"}}
            yield Case("image-url", url, level=None if claimed else SHOULD, why="" if claimed else why)


@rule(
    "REQUEST-08",
    MUST,
    "images, audio and files in messages reach the wire whole, or are refused with an error",
    forms="s",
    needs=("core>=1.0",),
    cases=lambda target: list(_cases(target)),
    hint="what is dropped in silence is answered by a model that has not seen it",
    mend="translate standard content blocks, or raise for those that the provider does not take",
    source="langchain_core.messages.content: ImageContentBlock, AudioContentBlock, FileContentBlock",
)
def data_reach_the_wire(probe: Probe, case: Case) -> None:
    kind = "image" if case.name == "image-url" else case.name
    digest = hashlib.sha256(_HELD[kind][0]).hexdigest()
    probe.play(scripts.PLAIN)
    message = HumanMessage([{"type": "text", "text": "What is this?"}, case.value])
    for method in METHODS:
        before = len(probe.exchanges)
        run = probe.iterate("stream", [message]).drain() if method == "stream" else probe.call(method, [message])
        error = run.error()
        sent = [exchange.asked for exchange in probe.exchanges[before:] if exchange.asked]
        if not sent or error:
            if case.level is None:
                told = describe_error(error) if error else "no request"
                raise Broken(f"{probe.name(method)} sends the {kind}", told)
            return
        held = [attached for message in sent[0].messages for attached in message.attached]
        if digest not in [each.digest for each in held]:
            raise Broken(
                f"the {kind}'s {len(_HELD[kind][0])} bytes in the request", brief(held) if held else "nothing of it"
            )
        if "What is this?" not in sent[0].text:
            raise Broken("the text beside it", repr(sent[0].text))
