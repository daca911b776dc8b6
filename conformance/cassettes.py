"""Cassettes: recorded answers of providers, and what each of them says, for the rules of REPLAY to play."""

import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Final

from mockserver import Asked, CassetteError, Delivery, Recording, Reply, Turn, Wire
from mockserver.cassettes.cassette import FAULTS, asked_in, recording_of, wire_of
from mockserver.cassettes.interaction import Interaction, is_cassette, read
from mockserver.sending.delivery import Cuts
from mockserver.wires import Decoded

ENDINGS: Final = (".yaml", ".yml", ".yaml.gz")
"""How the names of cassettes end."""
_HERE: Final = Path(__file__).parent
_SHIPPED: Final = (_HERE / "recorded", _HERE.parent / "cassettes")
"""Where the project's own cassettes stand: in an installed package, and in a checkout."""


@dataclass(frozen=True)
class Recorded:
    """A recorded request and its answer.

    Args:
        file: the cassette.
        number: which of its interactions it is, from 1.
        wire: the wire that it was recorded on.
        interaction: the request and the answer.
        label: name in node ids, unique in a run.
        alone: the label that it has where the file is the only cassette of a run.
    """

    file: Path
    number: int
    wire: Wire
    interaction: Interaction
    label: str
    alone: str

    @property
    def place(self) -> str:
        """File and interaction, as failure texts show them."""
        return f"{_shown(self.file)}, interaction {self.number}"

    @property
    def path(self) -> str:
        """How the file is given on a command line."""
        return _shown(self.file)

    @cached_property
    def streams(self) -> bool:
        """Whether the request asked for a stream."""
        if self.interaction.status < 300:
            return self.recording.streamed
        return self._asked is not None and self._asked.stream

    @property
    def asks_usage(self) -> bool:
        """Whether the request asked for usage, where it must; a request that cannot be read may have."""
        return self._asked is None or self._asked.stream_usage or not self._asked.stream

    @cached_property
    def _asked(self) -> Asked | None:
        return asked_in(self.interaction, self.wire)

    @cached_property
    def decoded(self) -> Decoded:
        """What the recording says, as the wire's decoder reads it."""
        body = self.interaction.body
        return self.wire.decode_stream(body) if self.recording.streamed else self.wire.decode_whole(body)

    @property
    def error(self) -> str | None:
        """Why the provider failed, where it did."""
        status = self.interaction.status
        if status >= 300:
            return f"HTTP {status}" + (f", {self.decoded.error!r}" if self.decoded.error else "")
        return self.decoded.error

    @cached_property
    def is_complete(self) -> bool:
        """Whether all of the provider's answer is there, however the connection ended."""
        if not self.recording.streamed:
            return _is_json(self.interaction.body)
        last = "end" if _has_terminator(self.wire) else "finish"
        return any(last in frame.kinds for frame in self.recording.frames)

    @property
    def ended_well(self) -> bool:
        """Whether the connection ended as it should."""
        return self.interaction.ended == "whole"

    @cached_property
    def recording(self) -> Recording:
        """The answer as the server plays it."""
        return recording_of(self.interaction, self.wire, source=self.place)

    @cached_property
    def uncounted(self) -> "Recorded":
        """The same answer to a stream that does not ask for usage: without the frames that hold nothing else."""
        kept = b"".join(frame.data for frame in self.recording.frames if frame.kinds != ("usage",))
        return replace(self, interaction=replace(self.interaction, body=kept, arrivals=None))

    def turn(self, cuts: Cuts = "frame") -> Turn:
        """The answer to any request, cut in this way.

        Where the recording broke off, so does the connection; one that stood still is closed, so that nobody waits for
        it again.
        """
        fault = FAULTS.get(self.interaction.ended)
        if fault is None:
            return Turn(recording=self.recording, delivery=Delivery(cuts=cuts))
        fault = replace(fault, kind="close") if fault.kind == "stall" else fault
        # By its length, a body that ends where its recording did would be whole.
        return Turn(recording=self.recording, delivery=Delivery(cuts=cuts, fault=fault, transfer="chunked"))


@dataclass(frozen=True)
class Cassettes:
    """What a run plays.

    Args:
        recorded: interactions whose wires are known, in the order of files and within them.
        unknown: why other interactions cannot be asked for by any model, each with their number.
        chosen: whether the command line named them.
        own: whether they are the project's own, which are there for the wires that a model speaks, and not for other
            dialects of them.
    """

    recorded: tuple[Recorded, ...] = ()
    unknown: Counter[str] = field(default_factory=Counter)
    chosen: bool = False
    own: bool = False

    def of(self, spoken: Mapping[str, str]) -> tuple[Recorded, ...]:
        """The interactions for a model that speaks these wires, by their families."""
        if self.own:
            return tuple(each for each in self.recorded if each.wire.name in spoken.values())
        return tuple(each for each in self.recorded if each.wire.family in spoken)

    def is_own(self, recorded: Recorded) -> bool:
        """Whether this is a recording of the project's own, as every run plays them."""
        return self.own and recorded in self.recorded

    @property
    def count(self) -> int:
        """How many interactions there are, of whatever wire."""
        return len(self.recorded) + self.unknown.total()

    def others(self, spoken: Mapping[str, str]) -> str:
        """How many interactions are left out for a model that speaks these wires, and why; `""` where none is."""
        kept = {each.label for each in self.of(spoken)}
        left = Counter(
            each.wire.name if self.own else each.wire.family for each in self.recorded if each.label not in kept
        )
        reasons = [*left.most_common(), *self.unknown.most_common()]
        count = left.total() + self.unknown.total()
        if not count:
            return ""
        told = ", ".join(f"{number} of {reason}" for reason, number in reasons)
        return f"{count} of {self.count} recorded interactions: {told}"


@cache
def own_cassettes() -> Cassettes:
    """The project's own cassettes."""
    folder = next((each for each in _SHIPPED if each.is_dir()), None)
    return replace(load([folder]), own=True) if folder else Cassettes()


def load(paths: Sequence[Path]) -> Cassettes:
    """The cassettes at these paths, files and folders.

    Raises:
        CassetteError: some are not there or cannot be read; one line each.
    """
    wrong: list[str] = []
    found: dict[Path, tuple[Interaction, ...]] = {}
    for path in paths:
        try:
            found |= {file: read(file) for file in _files(path) if file not in found}
        except CassetteError as error:
            wrong.append(str(error))
    if wrong:
        raise CassetteError("\n".join(wrong))
    return of_interactions(found.items())


def of_interactions(files: Iterable[tuple[Path, Sequence[Interaction]]]) -> Cassettes:
    """Interactions that were read, by file."""
    unknown: Counter[str] = Counter()
    recorded: list[Recorded] = []
    labels: Counter[str] = Counter()
    for file, interactions in files:
        for number, interaction in enumerate(interactions, 1):
            wire = wire_of(interaction)
            if wire is None or interaction.method != wire.method:
                unknown["no known wire" if wire is None else f"the method {interaction.method}"] += 1
                continue
            alone = _slug(file) + (f"-{number}" if len(interactions) > 1 else "")
            labels[alone] += 1
            label = alone if labels[alone] == 1 else f"{alone}-again-{labels[alone]}"
            recorded.append(Recorded(file, number, wire, interaction, label, alone))
    return Cassettes(tuple(recorded), unknown)


def _files(path: Path) -> list[Path]:
    """The cassettes at a path: a file, or all that a folder holds beside other files.

    Raises:
        CassetteError: it is a folder without any.
    """
    if not path.is_dir():
        return [path]
    named = (file for file in path.rglob("*") if file.name.endswith(ENDINGS) and not file.name.startswith("."))
    files = sorted(file for file in named if file.is_file() and is_cassette(file))
    if not files:
        raise CassetteError(f"{path}: holds no cassettes ({', '.join(ENDINGS)})")
    return files


def _slug(file: Path) -> str:
    """The name of a file in letters that node ids, `-k` and a shell take as they are."""
    stem = next((file.name.removesuffix(each) for each in ENDINGS if file.name.endswith(each)), file.name)
    return re.sub("[^a-z0-9]+", "-", stem.lower()).strip("-") or "cassette"


def _shown(file: Path) -> str:
    """A file relative to the current folder, where it is below it."""
    here = Path.cwd()
    return os.fspath(file.relative_to(here)) if file.is_relative_to(here) else os.fspath(file)


def _is_json(body: bytes) -> bool:
    try:
        json.loads(body)
    except ValueError:
        return False
    return True


@cache
def _has_terminator(wire: Wire) -> bool:
    """Whether a frame of its own ends the streams of this wire."""
    return any("end" in frame.kinds for frame in wire.frames(Reply.of("x", id="x", model="x")))
