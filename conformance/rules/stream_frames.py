"""STREAM: frames that bring nothing, come too late, or do not come."""

from mockserver import Delivery, Fault, Insert, Reply, Turn

from ..catalogue import MUST, SHOULD, Case, rule
from ..compat import text_of
from ..drive import PROMPT, Probe
from ..observe import agree, joined, same_text, summed
from ..verdict import Broken
from ..wording import describe_error
from . import scripts


@rule(
    "STREAM-10",
    MUST,
    "frames without content neither raise nor add content",
    needs=("stream",),
    cases=lambda target: [
        Case(
            name,
            level=None if frames.source else SHOULD,
            why=frames.source or f"SHOULD here: {target.wire.name} does not document this frame; others send it",
        )
        for name, frames in target.wire.contentless(scripts.named(scripts.PLAIN)).items()
    ],
    hint="providers send frames to keep a connection open, to open a block, and with fields added later",
    mend="treat each part of an event as optional, and skip what says nothing",
    source="langchain-ai/langchain#18977, langchain-ai/langchain#27886, langchain-ai/langchain-azure#23",
)
def contentless_frames_pass(probe: Probe, case: Case) -> None:
    noise = probe.wire.contentless(scripts.named(scripts.PLAIN))[case.name]
    inserted = tuple(Insert(place, noise.before(place)) for place in (0, 1, 2, "finish"))
    probe.play(Turn(reply=scripts.PLAIN, delivery=Delivery(insert=inserted)))
    with_noise = summed(probe.stream())
    same_text(scripts.PLAIN.text, text_of(with_noise))
    probe.play(scripts.PLAIN)
    agree(summed(probe.stream()), with_noise, names=("without these frames", "with them"))


@rule(
    "STREAM-15",
    SHOULD,
    "nothing that comes after the provider's terminal frame reaches the answer",
    needs=("stream",),
    hint="reading on to the end of the connection takes what is not the answer's",
    mend="stop at the provider's terminal frame",
    source="the terminal frame ends the answer: `[DONE]`, `message_stop`, `response.completed`; what follows is not "
    "part of it",
)
def end_is_the_end(probe: Probe, case: Case) -> None:
    late = Insert("close", probe.wire.after_end(scripts.named(scripts.PLAIN)))
    probe.play(Turn(reply=scripts.PLAIN, delivery=Delivery(insert=(late,))))
    same_text(scripts.PLAIN.text, joined(probe.stream()))


@rule(
    "STREAM-18",
    MUST,
    "a reply with zero content pieces ends or raises a typed error; it never hangs",
    cases=(Case("no-pieces"), Case("nothing")),
    hint="waiting for a first piece that never comes, or taking the first chunk for granted",
    mend="end where the stream ends; raise an error of your own kind where an empty answer is no answer",
    source="providers do answer without content: langchain-ai/langchain#34918",
)
def empty_replies_end(probe: Probe, case: Case) -> None:
    empty = Delivery(fault=Fault("stop", before="finish")) if case.name == "nothing" else Delivery()
    probe.play(Turn(reply=Reply(), delivery=empty))
    stream = probe.iterate("stream", PROMPT)
    if error := stream.drain().error():
        if not isinstance(error, Exception) or type(error) is Exception:
            raise Broken("an end, or an error of a type of its own", describe_error(error))
        return
    if text := joined(stream.items):
        raise Broken("no text", repr(text))
