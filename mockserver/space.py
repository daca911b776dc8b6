"""What one user of a server has: a script, a journal, and a URL under which both are reached."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeAlias

from .errors import Refused
from .exchange import Exchange, Journal
from .loader import load
from .reply import Reply
from .script import Responder, Script, Turn, as_turn

Scriptable: TypeAlias = Script | Turn | Reply | Refused | Responder | str | Path | Iterable[Turn | Reply | Refused]
"""What a server can be scripted with; a string or path names a YAML script or a cassette."""


def as_script(script: Scriptable) -> Script:
    """A script from all that `serve` takes."""
    if isinstance(script, Script):
        return script
    if isinstance(script, str | Path):
        return Script(load(Path(script)))
    if isinstance(script, Turn | Reply | Refused):
        return Script([as_turn(script)])
    if callable(script):
        return Script(script)
    return Script([as_turn(answer) for answer in script])


class Space:
    """A script and the journal of what was asked. `Server` is one; `Server.space` makes more of them."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._journal = Journal()
        self.errors: list[BaseException] = []
        """Why an answer could not be made: a script's function raised, a wire has no place for a reply, or this server
        has a defect."""

    @property
    def url(self) -> str:
        """The base URL, without a slash at its end."""
        raise NotImplementedError

    @property
    def script(self) -> Script:
        return self._script

    @property
    def journal(self) -> Journal:
        return self._journal

    def play(self, script: Scriptable) -> None:
        """Answer from now on by another script, with an empty journal."""
        self._script = as_script(script)
        self._journal = Journal()

    @property
    def exchanges(self) -> tuple[Exchange, ...]:
        """What the client did so far, a request each; calls beside the main ones are in `asides`."""
        return tuple(each for each in self._journal.exchanges if not each.is_aside)

    @property
    def asides(self) -> tuple[Exchange, ...]:
        """The calls that clients make beside the main ones, such as for a list of models."""
        return tuple(each for each in self._journal.exchanges if each.is_aside)

    @property
    def open_requests(self) -> int:
        return self._journal.open

    @property
    def peak_requests(self) -> int:
        """The most requests that were open at one time."""
        return self._journal.peak

    def until(self, holds: Callable[[], bool], *, timeout: float = 5.0) -> bool:
        """Wait up to `timeout` seconds until `holds()`; says whether it does. Not for use in the server's own loop."""
        return self._journal.until(holds, timeout=timeout)
