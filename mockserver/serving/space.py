"""What one user of a server has: a script, a journal, and a URL under which both are reached."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from ..errors import MockServerError, Refused
from ..reply import Reply
from ..scripts.loader import load_script
from ..scripts.script import Responder, Script, Turn, as_turn
from ..sending.delivery import Gate
from .exchange import Exchange, Journal

Scriptable: TypeAlias = Script | Turn | Reply | Refused | Responder | str | Path | Iterable[Turn | Reply | Refused]
"""What a server can be scripted with; a string or path names a YAML script or a cassette."""


def as_script(script: Scriptable) -> Script:
    """A script from all that `serve` takes."""
    if isinstance(script, Script):
        return script
    if isinstance(script, str | Path):
        return load_script(Path(script))
    if isinstance(script, Turn | Reply | Refused):
        return Script([as_turn(script)])
    if callable(script):
        return Script(script)
    return Script([as_turn(answer) for answer in script])


@dataclass(frozen=True, slots=True)
class Connections:
    """The connections that requests came on.

    Args:
        open: how many of them are open now.
        peak: the most that were open at one time.
        made: how many there were in all.
        reused: how many requests came on a connection that had brought one before.
    """

    open: int
    peak: int
    made: int
    reused: int


class Space(ABC):
    """A script and the journal of what was asked. `Server` is one; `Server.space` makes more of them."""

    def __init__(self, script: Script, keep: int | None = None) -> None:
        self._script = script
        self._keep = keep
        self._journal = Journal(keep)
        self._connections: set[int] = set()
        self._made = 0
        self._peak_connections = 0
        self.errors: list[BaseException] = []
        """Why an answer could not be made: a script's function raised, a wire has no place for a reply, or this server
        has a defect."""

    @property
    @abstractmethod
    def url(self) -> str:
        """The base URL, without a slash at its end."""

    @property
    def script(self) -> Script:
        return self._script

    @property
    def journal(self) -> Journal:
        return self._journal

    @property
    def keep(self) -> int | None:
        """How many exchanges the journal keeps at most, beside those that are open; all where it is `None`."""
        return self._keep

    def failed(self, error: BaseException) -> None:
        """Note why an answer could not be made; as many are kept as exchanges are."""
        self.errors.append(error)
        if self._keep is not None:
            del self.errors[: -self._keep]

    def play(self, script: Scriptable) -> None:
        """Answer from now on by another script, with an empty journal."""
        self._script = as_script(script)
        self._forget()

    def reset(self) -> None:
        """Begin anew: the journal is empty, no turn has answered, and the gates with a name are closed."""
        self._script.reset()
        self.errors.clear()
        self._forget()

    def _forget(self) -> None:
        self._journal = Journal(self._keep)
        self._connections, self._made, self._peak_connections = set(), 0, 0

    def gate(self, name: str) -> Gate:
        """The gate of this name in the script.

        Raises:
            MockServerError: the script has none.
        """
        gates = self._script.gates
        if name not in gates:
            raise MockServerError(f"the script has no gate {name!r}; it has {', '.join(gates) or 'none with a name'}")
        return gates[name]

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

    def until_ended(self, count: int = 1, *, timeout: float = 5.0) -> bool:
        """Wait up to `timeout` seconds until `count` exchanges have ended, by whomever; says whether they have."""

        def ended() -> int:
            return self._journal.forgotten.total() + sum(each.ended is not None for each in self.exchanges)

        return self.until(lambda: ended() >= count, timeout=timeout)

    @property
    def connections(self) -> Connections:
        """The connections that the requests of the journal came on."""
        living = len(self._connections & self.living_connections())
        return Connections(living, self._peak_connections, self._made, max(0, self._journal.count - self._made))

    @abstractmethod
    def living_connections(self) -> set[int]:
        """The numbers of the server's connections that are open now."""

    def came_on(self, connection: int) -> None:
        """Note that a request came on a connection; those that are gone are forgotten."""
        if connection not in self._connections:
            self._connections = (self._connections & self.living_connections()) | {connection}
            self._made += 1
            self._peak_connections = max(self._peak_connections, self.connections.open)
