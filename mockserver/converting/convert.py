"""Recordings to scripts, scripts to recordings, and both from the formats of others.

What is read is either recorded (interactions of a cassette, entries of a HAR, what `curl` printed) or scripted (turns
of a script or of another mock server). Nothing in it is executed, and what is written holds no key.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal, TypeAlias

from ..cassettes import interaction
from ..cassettes.cassette import wire_of
from ..cassettes.interaction import Interaction
from ..cassettes.redaction import Redaction
from ..errors import MockServerError
from ..reply import Reply
from ..scripts.script import Turn
from ..wires import WIRES, Wire
from .aimock import EVER
from .intake import Intake
from .reconstructing import Recorded, turn_of
from .rehearsing import rehearsed, unmet
from .scriptwriting import Remarked, dump

To: TypeAlias = Literal["script", "cassette"]
_MOST: Final = 100
"""How often a turn that answers several requests stands in a cassette at most."""
_SHORT: Final = 80
"""Characters of a text that a condition quotes, where they tell it from others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What is to be made.

    Args:
        to: a script or a cassette; `None` makes a cassette of scripts, and a script of all else.
        wire: the wire of turns that name none, and of recordings whose address tells none. For turns that name its
            family, it is the dialect.
        uri: the address of requests that are made up, and of the requests of captures.
        joined: whether blocks of recorded replies are in one piece each.

    Raises:
        MockServerError: there is no such wire.
    """

    to: To | None = None
    wire: str = ""
    uri: str = ""
    joined: bool = False

    def __post_init__(self) -> None:
        if self.wire and self.wire not in WIRES:
            raise MockServerError(f"there is no wire {self.wire!r}; there are {', '.join(WIRES)}")

    @property
    def meant(self) -> Wire | None:
        """The wire that is named, or that the address belongs to.

        Raises:
            MockServerError: the address is that of no wire, and none is named.
        """
        if self.wire or not self.uri:
            return WIRES.get(self.wire)
        found = wire_of(_bare(self.uri))
        if found is None:
            raise MockServerError(f"{self.uri} is the address of no wire; name one with --wire")
        return found


@dataclass(frozen=True, slots=True)
class Converted:
    """What was made: its text, how many turns or interactions it has, which of both it is, and what was left out."""

    text: str
    count: int
    what: To
    left_out: tuple[str, ...]


def convert(files: Iterable[Path], choice: Choice | None = None) -> Converted:
    """Files of any kind, and directories of them, as one script or one cassette.

    Raises:
        MockServerError: a file cannot be read, nothing in them can be converted, or a key would be written.
    """
    choice, files = choice or Choice(), tuple(files)
    intake = Intake(choice.meant, choice.uri)
    for file in files:
        intake.read(file)
    name = ", ".join(file.name for file in files)
    is_script = bool(intake.scripted) and not intake.recorded and not intake.is_foreign
    to = choice.to or ("cassette" if is_script else "script")
    made = _script(intake, choice, name) if to == "script" else _cassette(intake, choice, name)
    if not made.count:
        told = "; ".join(made.left_out) or "there is nothing in it"
        raise MockServerError(f"{name}: nothing of it can be converted: {told}")
    return made


def write(converted: Converted, out: Path, *, force: bool = False) -> None:
    """Write what was made; a cassette gzip'd, where the file's name ends in `.gz`.

    Raises:
        MockServerError: the file is there already, or cannot be written.
    """
    if out.exists() and not force:
        raise MockServerError(f"{out} is there already; --force overwrites it")
    if converted.what == "script" and out.suffix == ".gz":
        raise MockServerError(f"{out}: a script is not compressed; leave .gz out")
    interaction.write(out, converted.text)


def _script(intake: Intake, choice: Choice, name: str) -> Converted:
    turns = [turn_of(each, joined=choice.joined) for each in intake.recorded]
    turns = [*_told_apart(intake.recorded, turns), *(_with_wire(each, choice) for each in intake.scripted)]
    if turns and turns[-1].turn.times == EVER:
        # The last turn repeats without being told to.
        turns[-1] = replace(turns[-1], turn=replace(turns[-1].turn, times=None))
    head = [f"Converted by mockserver from {name}.", *(f"Left out: {line}" for line in intake.left_out)]
    text = dump(turns, head=head, default=intake.default, gates=intake.gates, joined=choice.joined)
    said = "\n".join(
        block.joined for turn in turns if isinstance(turn.turn.reply, Reply) for block in turn.turn.reply.blocks
    )
    if leaks := Redaction().leaks(replace(_bare(""), body=f"{text}\n{said}".encode())):
        raise MockServerError(f"{name}: a key would be written ({', '.join(leaks)}); take it out")
    return Converted(text, len(turns), "script", tuple(intake.left_out))


def _with_wire(each: Remarked, choice: Choice) -> Remarked:
    if not choice.wire or each.turn.when.wire:
        return each
    when = replace(each.turn.when, wire=WIRES[choice.wire].family)
    return replace(each, turn=replace(each.turn, when=when))


def _told_apart(recorded: list[Recorded], turns: list[Remarked]) -> Iterator[Remarked]:
    """The turns, with the user's text in the condition where it differs among those with the same condition."""
    texts = [each.asked.text if each.asked else "" for each in recorded]
    for text, each in zip(texts, turns, strict=True):
        alike = {other for other, turn in zip(texts, turns, strict=True) if turn.turn.when == each.turn.when}
        if len(alike) < 2 or not text:
            yield each
            continue
        is_enough = not any(text[:_SHORT] in other for other in alike - {text})
        when = replace(each.turn.when, text=text[:_SHORT] if is_enough else text)
        yield replace(each, turn=replace(each.turn, when=when))


def _cassette(intake: Intake, choice: Choice, name: str) -> Converted:
    left_out = list(intake.left_out)
    found = [each.interaction for each in intake.recorded]
    for number, each in enumerate(intake.scripted, 1):
        found += _interactions(number, each.turn, choice, left_out)
    if intake.default:
        left_out.append("the default, which answers what no turn does")
    if leaks := [issuer for each in found for issuer in Redaction().leaks(each)]:
        raise MockServerError(f"{name}: a key would be written ({', '.join(dict.fromkeys(leaks))}); take it out")
    text = interaction.dump(found, origin="; ".join(_origins(intake, name)))
    return Converted(text, len(found), "cassette", tuple(left_out))


def _origins(intake: Intake, name: str) -> Iterator[str]:
    if intake.recorded:
        yield f"converted by mockserver from {name}"
    if not all(each.is_asked for each in intake.recorded):
        yield "requests that were not captured are made up"
    if intake.scripted:
        yield f"made by mockserver from a script ({name}), not recorded from a provider"


def _interactions(number: int, turn: Turn, choice: Choice, left_out: list[str]) -> list[Interaction]:
    """What a turn answers, once for each of its requests; none where a cassette has no place for it."""
    found = rehearsed(turn, _wire_for(number, turn, choice), number=number, uri=choice.uri)
    if found is None:
        left_out.append(f"turn {number}, which ends the connection before any answer: cassettes have no place for that")
        return []
    if unsaid := unmet(turn):
        left_out.append(f"turn {number}: its conditions on {', '.join(unsaid)}, which its request does not meet")
    times = turn.times or 1
    if times > _MOST:
        left_out.append(f"turn {number}: that it answers {times} requests; it stands there once")
        times = 1
    return [Redaction().of(found).interaction] * times


def _wire_for(number: int, turn: Turn, choice: Choice) -> Wire:
    named, meant = WIRES.get(turn.when.wire or ""), choice.meant
    if named and meant and named.family != meant.family:
        raise MockServerError(f"turn {number} is for the wire {named.name}, not {meant.name}")
    if found := meant or named:
        return found
    raise MockServerError(f"turn {number} names no wire; say with --wire which it is for: {', '.join(WIRES)}")


def _bare(uri: str) -> Interaction:
    """An interaction that says no more than where a request goes."""
    return Interaction(
        method="POST", uri=uri, request_headers={}, request_body=b"", status=200, reason="", headers={}, body=b""
    )
