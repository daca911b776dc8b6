"""EVENTS: runs that end early, by an error or because the caller closes them."""

from mockserver import Delivery, Fault, Turn

from ..calls import END, PATIENCE
from ..catalogue import MUST, SHOULD, Case, rule
from ..drive import Probe
from ..observe import joined
from ..target import Target
from ..verdict import Broken
from . import scripts
from .events_read import FINISH, VERSIONS, await_pieces, chunks_of, counted, names_of, opened


def _failing(target: Target, kind: str, case: Case) -> Case:
    """A failure in the middle; SHOULD where it is not known how the provider says in a stream that it failed."""
    name, value = f"{kind}-{case.name}", (kind, case.value)
    if kind == "close" or target.wire.error_frame_source:
        return Case(name, value)
    return Case(
        name, value, level=SHOULD, why=f"SHOULD here: errors in a stream of {target.wire.name} are not recorded"
    )


@rule(
    "EVENTS-09",
    MUST,
    "an error in the middle raises to the consumer; pieces before it were delivered; no end event",
    forms="a",
    needs=("stream",),
    cases=lambda target: [_failing(target, kind, case) for case in VERSIONS for kind in ("close", "error")],
    hint="a stream that ends quietly passes half an answer off as whole",
    mend="raise in `_astream` what the provider or the connection raises",
    source="langchain-ai/langchain#22916",
)
def errors_surface(probe: Probe, case: Case) -> None:
    kind, version = case.value
    # The fault waits for what comes before it to be read: a connection that ends may take with it what is still unread.
    gate = probe.gate()
    probe.play(Turn(reply=scripts.PLAIN, delivery=Delivery(gates={2: gate}, fault=Fault(kind, before=2))))
    stream = opened(probe, version)
    while len(joined(chunks_of(stream.items))) < len("".join(scripts.PLAIN.blocks[0].pieces[:2])):
        call = stream.within()
        if not call.done:
            gate.open()
        if call.error() is not None or call.value() is END:
            raise Broken("the pieces before the error", repr(joined(chunks_of(stream.items))), frame="error")
    gate.open()
    stream.failure(f"{kind} after two pieces")
    if FINISH in names_of(stream.items):
        raise Broken(f"no {FINISH}", counted(names_of(stream.items)))


@rule(
    "EVENTS-10",
    MUST,
    "closing the generator early closes the connection",
    forms="a",
    needs=("stream", "native async"),
    # Not v1: langchain-core (1.7.2) awaits the run there instead of cancelling it, whatever the model does.
    cases=(Case("v2", "v2"),),
    hint="what nobody reads any more is still paid for",
    mend="keep the response in an `async with` block, so that closing the generator closes it",
    source="langchain-ai/langchain#22865",
)
def closing_closes_the_connection(probe: Probe, case: Case) -> None:
    gate = probe.gate()
    probe.play(Turn(reply=scripts.PLAIN, delivery=Delivery(gates={1: gate})))
    stream = opened(probe, case.value)
    await_pieces(stream, 1)
    stream.close()
    exchange = probe.exchange
    if not probe.server.until(lambda: exchange.ended == "closed by client", timeout=PATIENCE):
        raise Broken("the client closes the connection", exchange.describe())
