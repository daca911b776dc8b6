"""What the rules on requests share: what a call sent, as the server understood it."""

from typing import Any, Final

from mockserver import Asked

from ..drive import PROMPT, Probe
from ..verdict import Broken

METHODS: Final = ("invoke", "stream")


def asked_by(probe: Probe, method: str, input: Any = PROMPT, *, on: Any = None, **kwargs: Any) -> Asked:
    """The one request that a call sends, whatever becomes of the call: what a provider refuses has been asked all the
    same, and whether it refuses is for REQUEST-07 to say.

    Raises:
        Broken: the call sends none, or several; the error that it raised is told.
    """
    before = len(probe.exchanges)
    error = _outcome(probe, method, input, on=on, **kwargs)
    sent = [exchange for exchange in probe.exchanges[before:] if not exchange.is_aside]
    if len(sent) != 1:
        told = f": {type(error).__name__}: {error}" if error else ""
        raise Broken(f"{probe.name(method)} sends 1 request", f"{len(sent)} requests{told}"[:300]) from error
    if sent[0].asked is None:
        raise Broken(f"a request of {probe.wire.name}", sent[0].describe())
    return sent[0].asked


def _outcome(probe: Probe, method: str, input: Any, *, on: Any, **kwargs: Any) -> BaseException | None:
    if method == "stream":
        return probe.iterate("stream", input, on=on, **kwargs).drain().error()
    return probe.call(method, input, on=on, **kwargs).error()
