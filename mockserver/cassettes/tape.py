"""A cassette that is being recorded."""

from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from ..errors import CassetteError
from .interaction import Interaction, document, entry, interactions, joined, write
from .redaction import Redaction, credentials


class _Part(NamedTuple):
    """An interaction as it is kept, and its YAML."""

    interaction: Interaction
    text: str


@dataclass
class Tape:
    """The interactions of a cassette that is being recorded, without their secrets.

    What is recorded again replaces what the file had of the same request, in its place: the first of two by the first.
    A request that is sent more often than the file had it stands at the end, and one that is sent less often loses the
    rest. Requests that are not sent again stay. Interactions stand in the order in which their requests came.

    Args:
        file: the cassette; what it holds is kept.
        redaction: what is taken out of all that is recorded.
        origin: tells where the recording comes from, unless the file tells so already.

    Raises:
        CassetteError: the file is no cassette, or a key stands in it.
    """

    file: Path
    redaction: Redaction = field(default_factory=Redaction)
    origin: str = ""
    recorded: int = field(default=0, init=False)
    masked: int = field(default=0, init=False)
    """How many secrets were overwritten."""
    headers: int = field(default=0, init=False)
    """How many headers were left out."""
    left_out: list[str] = field(default_factory=list, init=False)
    """Answers that are not kept, and why; one line each."""

    def __post_init__(self) -> None:
        self._before: list[_Part] = []
        self._now: dict[int, _Part] = {}
        self._known: set[str] = set()
        self._is_saved = True
        if self.file.exists():
            self._load()

    @property
    def replaced(self) -> int:
        """How many interactions of the file are recorded anew."""
        again = {part.interaction.key for part in self._now.values()}
        return sum(part.interaction.key in again for part in self._before)

    def add(self, interaction: Interaction, number: int) -> Interaction | None:
        """Keep an interaction, unless a key is still to be seen in it; returns what is kept.

        `number` is that of its request, in the order in which these came.
        """
        self._known |= credentials(interaction)
        redacted = self.redaction.of(interaction, self._known)
        kept = redacted.interaction
        if found := self.redaction.leaks(kept, self._known):
            self.leave_out(kept.method, kept.uri, f"it would hold a key: {', '.join(found)}")
            return None
        self._now[number] = _Part(kept, entry(kept))
        self.recorded += 1
        self.masked += redacted.masked
        self.headers += redacted.headers
        self._is_saved = False
        return kept

    def leave_out(self, method: str, uri: str, reason: str) -> None:
        """Note an answer that is not kept."""
        self.left_out.append(f"{method} {urlsplit(self.redaction.uri(uri)).path} ({reason})")

    def save(self) -> None:
        """Write the file, if there is something new.

        Raises:
            CassetteError: it cannot be written.
        """
        if self._is_saved:
            return
        self._take_out_again()
        if parts := self._parts():
            write(self.file, joined((part.text for part in parts), origin=self.origin))
        self._is_saved = True

    def _load(self) -> None:
        found = document(self.file)
        self.origin = str(found.get("origin") or self.origin)
        for number, each in enumerate(interactions(self.file, found), 1):
            if leaks := self.redaction.leaks(each):
                raise CassetteError(
                    f"{self.file}: interaction {number} holds a key ({', '.join(leaks)}), so nothing is added to it; "
                    "take it out, or record to another file"
                )
            self._before.append(_Part(each, entry(each)))

    def _take_out_again(self) -> None:
        """Take out what a later request has shown to be secret."""
        for number, part in list(self._now.items()):
            if any(secret in part.text for secret in self._known):
                del self._now[number]
                self.recorded -= 1
                self.add(part.interaction, number)

    def _parts(self) -> list[_Part]:
        """What stands in the file, in its order."""
        again: dict[tuple[str, str, object], list[_Part]] = defaultdict(list)
        for _, part in sorted(self._now.items()):
            again[part.interaction.key].append(part)
        keys = set(again)
        parts = []
        for part in self._before:
            if part.interaction.key not in keys:
                parts.append(part)
            elif left := again[part.interaction.key]:
                parts.append(left.pop(0))
        left_over = {id(part) for parts in again.values() for part in parts}
        return [*parts, *(part for _, part in sorted(self._now.items()) if id(part) in left_over)]
