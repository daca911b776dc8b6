"""FAULT: servers that say nothing, servers that are not there."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from mockserver import Delivery, Fault, Turn

from ..calls import LIMIT, PATIENCE
from ..catalogue import MUST, Case, rule
from ..drive import Probe
from ..verdict import Broken, NotApplicable
from . import scripts
from .fault import METHODS, ask, failure, frail, needs_stream

TIMEOUT: Final = 0.25
"""Seconds; those who count in whole ones wait for one."""


@rule(
    "FAULT-09",
    MUST,
    "a stalled server meets the timeout that was set: before the head, within an answer, between pieces",
    needs=("timeout",),
    cases=(
        Case("head", ("head", METHODS)),
        Case("invoke", (2, ("invoke",))),
        Case("stream", (2, ("stream",))),
    ),
    hint="a timeout for connecting alone; a timeout that is not passed on to the client of the async form",
    mend="give the timeout to the HTTP clients of both forms, as the time to wait for the next bytes or for all",
    source="langchain-core, docs of chat models: `timeout` is a standard parameter",
)
def stalls_meet_the_timeout(probe: Probe, case: Case) -> None:
    before, methods = case.value
    if case.name == "stream":
        needs_stream(probe)
    probe.play(Turn(reply=scripts.PLAIN, delivery=Delivery(fault=Fault("stall", before=before))))
    model = frail(probe, timeout=TIMEOUT)
    calls = [ask(probe, method, model) for method in methods]
    for call in calls:
        if not call.wait(PATIENCE):
            if len(probe.exchanges) > len(calls):
                probe.goes_on = True
                raise NotApplicable(f"{call.name} still retries after {PATIENCE:g} s")
            raise Broken(f"{call.name} raises once {TIMEOUT:g} s are over", f"it waits on after {PATIENCE:g} s")
        failure(probe, call, "the server stalls")


@contextmanager
def nobody(probe: Probe) -> Iterator[str]:
    """The URL of a port that refuses connections: it is taken, and nobody listens.

    Raises:
        NotApplicable: the model asks its provider when it is made, so that there is none to ask at such a port.
    """
    probe.model()
    if probe.server.asides:
        raise NotApplicable(
            f"{probe.target.label} asks its provider when it is made, and is not made where none answers"
        )
    scheme = "https" if probe.target.stanza.tls else "http"
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"{scheme}://127.0.0.1:{taken.getsockname()[1]}"


@rule(
    "FAULT-10",
    MUST,
    "a refused connection raises promptly",
    hint="a model that retries for minutes looks as if it hung",
    mend="let the error of the HTTP client through; retry connections no more often than is set",
    source="RFC 9293, 3.10.7.1: a reset in answer to a SYN says that nobody listens",
)
def refused_connections_raise(probe: Probe, case: Case) -> None:
    with nobody(probe) as url:
        model = probe.target.build(url, **probe.target.with_settings(retries=0))
        limit = PATIENCE if probe.target.setting("retries") else LIMIT
        for call in [ask(probe, method, model) for method in METHODS]:
            failure(probe, call, "nobody listens at the port", limit)
