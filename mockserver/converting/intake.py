"""What `convert` reads: files of recordings and scripts, this server's and others', told apart by what is in them."""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, TypeVar

import yaml

from ..cassettes import interaction
from ..cassettes.cassette import wire_of
from ..cassettes.interaction import Interaction
from ..cassettes.redaction import Redaction, credentials
from ..errors import MockServerError
from ..scripts.loader import load_script
from ..scripts.script import Turn
from ..sending.delivery import Gate
from ..wires import Wire
from . import aimock, foreign, mockllm
from .reconstructing import Recorded
from .requesting import MODEL, Question, made
from .scriptwriting import Remarked

T = TypeVar("T")
_SUFFIXES: Final = (".yaml", ".yml", ".json", ".har", ".gz")
"""What is read of a directory."""
_YAML: Final = (".yaml", ".yml")
_ANSWERS: Final = re.compile(rb"^responses:", re.MULTILINE)
_CASSETTE: Final = re.compile(rb"^(?:interactions|requests):", re.MULTILINE)


@dataclass
class Intake:
    """What was read, and how to read more.

    Args:
        wire: the wire of recordings whose address tells none.
        uri: the address that captures were asked at.
        recorded: interactions with their wires, without secrets.
        scripted: turns.
        default: the default of a script.
        gates: the gates of scripts, by name.
        left_out: what is not carried over, one line each.
        is_foreign: whether something scripted is another server's.
    """

    wire: Wire | None = None
    uri: str = ""
    recorded: list[Recorded] = field(default_factory=list)
    scripted: list[Remarked] = field(default_factory=list)
    default: Turn | None = None
    gates: dict[str, Gate] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    is_foreign: bool = False

    def read(self, file: Path) -> None:
        """Read a file, or all of a directory whose names end as those of recordings and scripts do.

        Raises:
            MockServerError: it cannot be read, or is nothing that is known.
        """
        if not file.is_dir():
            self._read(file)
            return
        found = sorted(each for each in file.rglob("*") if each.is_file() and each.suffix in _SUFFIXES)
        if not found:
            raise MockServerError(f"{file}: the directory holds no file ending in {', '.join(_SUFFIXES)}")
        for each in found:
            self._read(each, is_named=False)

    def _read(self, file: Path, *, is_named: bool = True) -> None:
        document = _document(file)
        if mockllm.is_ours(document):
            turns, default, left = _named(file, lambda: mockllm.turns_of(document))
            self._take(turns, [f"{file}: {line}" for line in left])
            self.default = default
        elif (fixtures := aimock.fixtures_of(document)) is not None:
            self._take(*_named(file, lambda: aimock.turns_of(fixtures, lambda number: f"{file}, fixture {number}")))
        elif (entries := foreign.entries_of(document)) is not None:
            self._record(self._har(file, entries))
        elif interaction.is_cassette(file):
            found = enumerate(interaction.read(file), 1)
            self._record((f"{file}, interaction {number}", each) for number, each in found)
        elif file.suffix in _YAML or (isinstance(document, dict) and "turns" in document):
            self._script(file)
        elif is_named:
            self._capture(file)
        else:
            self.left_out.append(f"{file}: is neither a recording nor a script; name it if curl printed it")

    def _take(self, turns: list[Remarked], left_out: list[str]) -> None:
        self.is_foreign = True
        self.scripted += turns
        self.left_out += left_out

    def _script(self, file: Path) -> None:
        script = load_script(file)
        self.scripted += map(Remarked, script.turns)
        self.gates |= dict(script.gates)
        self.default = script.default or self.default
        if script.loop:
            self.left_out.append(f"{file}: that the script loops")

    def _har(self, file: Path, entries: list[Any]) -> Iterator[tuple[str, Interaction]]:
        for number, entry in enumerate(entries, 1):
            where = f"{file}, entry {number}"
            try:
                found = foreign.from_har(entry)
            except (ValueError, OSError, EOFError) as error:
                raise MockServerError(f"{where} is not in HAR's format ({error})") from None
            if isinstance(found, str):
                self.left_out.append(f"{where}: {found}")
            else:
                yield where, found

    def _record(self, found: Iterable[tuple[str, Interaction]]) -> None:
        """Interactions without their secrets; those of no wire are left out."""
        named = list(found)
        known = {secret for _, each in named for secret in credentials(each)}
        for where, each in named:
            wire = wire_of(each) or (self.wire if self.wire and each.method == self.wire.method else None)
            if wire is None:
                asked = f"{each.method} {Redaction().uri(each.uri)}"
                self.left_out.append(f"{where}: {asked} belongs to no wire that this server speaks")
            elif 300 <= each.status < 400:
                self.left_out.append(f"{where}: it is answered with a redirection ({each.status})")
            else:
                self._keep(Recorded(Redaction().of(each, known).interaction, wire, where), known)

    def _keep(self, recorded: Recorded, known: Iterable[str] = ()) -> None:
        """Keep what was redacted, unless a key is still to be seen in it."""
        if leaks := Redaction().leaks(recorded.interaction, known):
            self.left_out.append(f"{recorded.where}: it would hold a key ({', '.join(leaks)})")
        else:
            self.recorded.append(recorded)

    def _capture(self, file: Path) -> None:
        """What `curl` printed. Its request is made up."""
        found = foreign.from_capture(file)
        wire = self.wire or foreign.recognised(found.body, file)
        streamed = not foreign.is_object(found.body)
        decoded = wire.decode_stream(found.body) if streamed else wire.decode_whole(found.body)
        asked = made(wire, Question(model=decoded.reply.model or MODEL, stream=streamed), uri=self.uri)
        kind = wire.stream_type if streamed else wire.whole_type
        recorded = replace(
            found,
            method=asked.method,
            uri=asked.uri,
            request_headers=asked.headers,
            request_body=asked.body,
            headers={"content-type": kind, **found.headers},
        )
        self._keep(Recorded(Redaction().of(recorded).interaction, wire, str(file), is_asked=False))


def _document(file: Path) -> Any:
    """What stands in a file that is not left to others to read: a script in JSON, and what other servers read."""
    try:
        content = file.read_bytes()
    except OSError as error:
        raise MockServerError(f"{file}: {error.strerror or error}") from None
    if not content.strip():
        raise MockServerError(f"{file}: is empty")
    if file.suffix in _YAML:
        # Cassettes and scripts are long, and what is wrong in them is told by who reads them.
        is_mockllm = _ANSWERS.search(content) and not _CASSETTE.search(content)
        with suppress(yaml.YAMLError, ValueError, RecursionError):
            return yaml.safe_load(content) if is_mockllm else None
    with suppress(ValueError, RecursionError):
        return json.loads(content)
    return None


def _named(file: Path, read: Callable[[], T]) -> T:
    try:
        return read()
    except ValueError as error:
        told = str(error)
        raise MockServerError(told if told.startswith(str(file)) else f"{file}: {told}") from None
