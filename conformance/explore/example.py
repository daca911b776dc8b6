"""One example: what the provider says, and how it is sent; both are generated, and shrink apart."""

from dataclasses import dataclass, field, fields, replace
from typing import Final

from mockserver import Asked, Delivery, Edit, Framing, Insert, Recording, Reply, Turn, Wire
from mockserver.wires import WIRES

from ..rules.scripts import named
from .replies import unstreamed

PLAIN: Final = Delivery()
BEFORE_FINISH: Final = "before-finish"
"""The place of a count that comes before the frame with the finish reason, and not after it."""
_COUNTED_LAST: Final = ["finish", "usage", "end"]


@dataclass(frozen=True, slots=True)
class Example:
    """What is played.

    Args:
        reply: what the provider says.
        delivery: how it is sent.
        usage_at: where a stream counts its tokens: one of `usage_places`; `""` for the wire's own place.
        before: what the provider said to the request before, which is asked on the same model and is not compared.
    """

    reply: Reply
    delivery: Delivery = field(default=PLAIN)
    usage_at: str = ""
    before: Reply | None = None

    @property
    def turn(self) -> Turn:
        """What answers a request for a stream; where it counts elsewhere than at the end, a script cannot say so."""
        edits = (Edit("swap", "finish"),) if self.usage_at == BEFORE_FINISH else self.delivery.edits
        return Turn(reply=self.reply, delivery=replace(self.delivery, edits=edits, insert=self._inserted))

    @property
    def _inserted(self) -> tuple[Insert, ...]:
        """What is put in before pieces that there are."""
        count = self.reply.piece_count
        return tuple(each for each in self.delivery.insert if not isinstance(each.before, int) or each.before < count)

    def answer(self, asked: Asked) -> Turn:
        """What answers a request, whole or streamed."""
        wire = WIRES[asked.wire]
        unedited = replace(self.delivery, edits=(), insert=())
        if not asked.stream:
            return Turn(reply=unstreamed(wire, self.reply), delivery=unedited)
        if not asked.stream_usage:
            return Turn(reply=self.reply, delivery=replace(unedited, insert=self._inserted))
        if self.usage_at in ("", BEFORE_FINISH):
            return self.turn
        reply = replace(named(self.reply), model=asked.model)
        headers = {"content-type": wire.stream_type, **wire.headers(reply)}
        recording = Recording(200, headers, wire.usage_variants(reply)[self.usage_at].frames)
        return Turn(recording=recording, delivery=unedited)

    def plainly(self) -> "Example":
        """The same reply, sent plainly."""
        return replace(self, delivery=PLAIN, usage_at="")

    def describe(self) -> str:
        """What is in it, in a few words."""
        counted = [f"usage {self.usage_at}"] if self.usage_at else []
        before = [f"after {self.before.describe()}"] if self.before else []
        return ", ".join([self.reply.describe(), *told(self.delivery), *counted, *before])


def usage_places(wire: Wire, reply: Reply) -> tuple[str, ...]:
    """Where else streams may count the tokens of a reply; nowhere where it has no usage."""
    if not reply.usage:
        return ()
    kinds = [frame.kind for frame in wire.frames(named(reply))]
    early = (BEFORE_FINISH,) if kinds[-3:] == _COUNTED_LAST else ()
    return (*early, *wire.usage_variants(named(reply)))


def told(delivery: Delivery) -> list[str]:
    """What is not plain in a delivery, in words."""
    parts = [] if delivery.cuts == PLAIN.cuts else [f"cuts {delivery.cuts}"]
    if delivery.framing and delivery.framing.asked:
        parts.append(f"framing {_asked(delivery.framing)}")
    parts += [f"transfer {delivery.transfer}"] if delivery.transfer else []
    parts += ["an empty frame"] if delivery.insert else []
    return [*parts, "gzip"] if delivery.gzip else parts


def _asked(framing: Framing) -> str:
    values = {each.name: getattr(framing, each.name) for each in fields(framing)}
    return ", ".join(f"{name}={values[name]}" for name in framing.asked)
