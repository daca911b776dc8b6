"""Models whose clients take no URL: recorded answers are played to them within this process, by vcrpy.

vcrpy takes the place of HTTP libraries below their users and gives each answer whole and at once. So nothing can be
said of time, of cuts or of connections, and what is asked through no library that it knows is not answered at all.
"""

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from mockserver import Exchange, Write
from mockserver.cassettes.cassette import asked_in
from mockserver.cassettes.inprocess import Heard, playing
from mockserver.cassettes.interaction import Interaction

from .cassettes import Recorded
from .errors import chain
from .integrations import Stanza
from .loopback import attempts
from .verdict import Broken, NotApplicable
from .wording import describe_error

if TYPE_CHECKING:
    from .drive import Probe

LIBRARIES: Final = "httpx, requests, urllib3, aiohttp, botocore, httplib2 and tornado"
"""What vcrpy knows (`vcr/patch.py` of the PyPI package `vcrpy`)."""


def building(stanza: Stanza) -> AbstractContextManager[object]:
    """While a model is built, what its client asks beside the conversation is answered, as its stanza says."""
    if not stanza.in_process or not stanza.asides:
        return nullcontext()
    return playing(None, takes=lambda request: False, asides=stanza.asides)


@contextmanager
def played(probe: "Probe", recorded: Recorded) -> Iterator[None]:
    """Meanwhile the model's client is given this recording, and what it asks are the exchanges of the probe.

    Raises:
        NotApplicable: what the model gives cannot be laid at its door, or the recording cannot be played so.
    """
    if not recorded.ended_well:
        raise NotApplicable(f"the recording breaks off ({recorded.interaction.ended}), which vcrpy cannot play")
    probe.played = ()
    known = len(attempts())
    error: Broken | None = None
    wire = probe.wire

    def takes(request: Interaction) -> bool:
        return request.method == wire.method and asked_in(request, wire) is not None

    with playing(recorded.interaction, takes=takes, asides=probe.target.stanza.asides) as heard:
        try:
            yield
        except Broken as broken:
            error = broken
    probe.played = tuple(_exchange(number, each, probe, recorded) for number, each in enumerate(heard.answered, 1))
    if reason := _excuse(probe, heard, error, known):
        raise NotApplicable(reason)
    if error:
        raise error


def _exchange(number: int, request: Interaction, probe: "Probe", recorded: Recorded) -> Exchange:
    """A request that was given the recording, whole and at once."""
    frames = recorded.recording.frames
    made = Exchange(
        number=number,
        connection=number,
        method=request.method,
        path=urlsplit(request.uri).path,
        headers=request.request_headers,
        body=request.request_body,
        asked=asked_in(request, probe.wire),
        status=recorded.interaction.status,
        frames=frames,
        writes=[Write(0.0, len(recorded.interaction.body), len(frames))],
    )
    made.end("finished")
    return made


def _excuse(probe: "Probe", heard: Heard, error: Broken | None, known: int) -> str:
    """Why what came of a call says nothing of the model; `""` where it does."""
    label, cause = probe.target.label, error.__cause__ if error else None
    if heard.answered and error is None:
        return ""
    told = f"; it raises {describe_error(cause)}" if cause else ""
    if left := attempts()[known:]:
        return f"{label} reaches {left[0]}, past vcrpy, which knows {LIBRARIES}"
    if heard.left:
        return (
            f"{label} asks {heard.left[0]}, which is no request of the wire {probe.wire.name}; where it is a call "
            "beside the conversation, `asides` of its stanza can answer it"
        )
    if not heard.answered:
        return f"no request of {label} came to vcrpy, which knows {LIBRARIES}{told}"
    if cause and (fault := _of_vcrpy(cause)):
        return f"vcrpy cannot play it to the client of {label}: {describe_error(fault)}"
    return ""


def _of_vcrpy(error: BaseException) -> BaseException | None:
    """The error of a chain that vcrpy raised, or that is for want of what its stand-ins lack; `None` where none is."""
    for each in chain(error):
        missed = getattr(each, "obj", None) if isinstance(each, AttributeError) else None
        if _top(type(missed).__module__) == "vcr" or _raiser(each) == "vcr":
            return each
    return None


def _raiser(error: BaseException) -> str:
    """The package whose code raised an error, the standard library's left out."""
    package, trace = "", error.__traceback__
    while trace:
        name = _top(str(trace.tb_frame.f_globals.get("__name__", "")))
        package = package if name in sys.stdlib_module_names else name
        trace = trace.tb_next
    return package


def _top(module: str) -> str:
    return module.partition(".")[0]
