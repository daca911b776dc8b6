"""Cassettes for clients that cannot be aimed at a server: recorded and played inside the client's process, by vcrpy.

vcrpy takes the place of httpx, httpx2, requests, aiohttp and botocore below their users. It reads an answer to its end
before it gives any of it away, so that nothing is known of when and in which parts the bytes came, and an answer that
was cut is not recorded. `mockserver record` and `mockserver.serve` keep all of that, and are to be preferred.
"""

import json
import sys
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias, get_args
from urllib.parse import unquote, urlsplit

from ..errors import MockServerError
from .interaction import Interaction, read, unpacked
from .redaction import Redaction
from .tape import Tape

Record: TypeAlias = Literal["once", "new_episodes", "none", "all"]
RECORD: Final = get_args(Record)
_OURS: Final = "mockserver"
"""The key in an answer of vcrpy's that says which interaction of the file it is."""
_ORIGIN: Final = "recorded by mockserver through vcrpy, which does not say when the bytes arrived"


@dataclass(slots=True)
class Passage:
    """What happened while a cassette was in use. The numbers are those of answers, known once it is no longer.

    Args:
        file: the cassette.
        recorded: how many are new in it.
        played: how many were played from it.
        unused: requests of the file that were not made again.
        left_out: answers that are not kept, and why; one line each.
        lost: in one line what vcrpy could not keep or play; `""` where it did nothing.
    """

    file: Path
    recorded: int = 0
    played: int = 0
    unused: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    lost: str = ""


@contextmanager
def cassette(
    file: str | Path,
    *,
    record: Record = "once",
    redact: Sequence[str] = (),
    tell: Callable[[str], object] | None = None,
) -> Iterator[Passage]:
    """Play the requests of this process from a cassette, and record those that it does not have.

    Requests are the same where method, URI and body are, once their secrets are taken out.

    Args:
        file: the cassette.
        record: what is recorded: ``once`` all, if there is no file yet, ``new_episodes`` what the file does not have,
            ``all`` everything anew, ``none`` nothing. A request that is neither played nor recorded fails.
        redact: regular expressions for what is to be taken out, beside keys and accounts.
        tell: is called at the end with what was lost; it goes to the standard error output if not given.

    Raises:
        MockServerError: vcrpy is not installed, an argument or the cassette cannot be used, or the file cannot be
            written.
    """
    vcr = _vcr()
    if record not in RECORD:
        raise MockServerError(f"record is one of {', '.join(RECORD)}, not {record!r}")
    passage = Passage(Path(file))
    store = _Store(passage, Redaction(tuple(redact)))
    store.read()
    player = vcr.VCR(record_mode=record, match_on=(_OURS,))
    player.register_matcher(_OURS, store.is_same)
    player.register_persister(store)
    used = None
    try:
        with player.use_cassette(str(file)) as used:
            yield passage
    finally:
        if used is not None:
            store.write()
            store.note(used)
            if passage.lost:
                (tell or _tell)(passage.lost)


@dataclass(slots=True)
class Heard:
    """What the clients of this process asked while an answer was played to them; each request once, without an answer.

    Args:
        answered: those that were given the answer.
        left: those that were given none, each with its method and URI; they failed.
    """

    answered: list[Interaction] = field(default_factory=list)
    left: list[str] = field(default_factory=list)


@contextmanager
def playing(
    answer: Interaction | None, *, takes: Callable[[Interaction], bool], asides: Mapping[str, Any] | None = None
) -> Iterator[Heard]:
    """Give the clients of this process one answer, whatever host they ask, whole and at once; nothing is sent.

    Args:
        answer: what is given, again and again; nothing where it is `None`.
        takes: whether a request, which has no answer yet, is one that is to be answered so.
        asides: by method and end of the path (``"GET /v1/models"``), the JSON document that answers any other call.

    Raises:
        MockServerError: vcrpy is not installed.
    """
    vcr = _vcr()
    desk = _Desk(answer, takes, asides or {})
    player = vcr.VCR(record_mode="none", match_on=(_OURS,))
    player.register_matcher(_OURS, desk.answers)
    player.register_persister(desk)
    with player.use_cassette(_OURS, allow_playback_repeats=True):
        yield desk.heard


class _Desk:
    """Says to vcrpy which of a few answers a request is given."""

    def __init__(
        self, answer: Interaction | None, takes: Callable[[Interaction], bool], asides: Mapping[str, Any]
    ) -> None:
        self.heard = Heard()
        self._answer = answer
        self._takes = takes
        self._asides = asides

    def load_cassette(self, path: str, serializer: object) -> tuple[list[Any], list[dict[str, Any]]]:
        """What vcrpy asks for: the answers, each with a request that has its name for a URI."""
        from vcr.request import Request  # noqa: PLC0415

        answers = {name: _answer(_aside(document)) for name, document in self._asides.items()}
        if self._answer:
            answers[_OURS] = _answer(self._answer)
        return [Request("POST", name, None, {}) for name in answers], list(answers.values())

    def save_cassette(self, path: str, cassette_dict: dict[str, Any], serializer: object) -> None:
        """Nothing is recorded."""

    def answers(self, request: Any, named: Any) -> bool:
        """Whether a request is given the answer of this name."""
        asked = _asked(request)
        path = unquote(urlsplit(asked.uri).path)
        beside = (name.partition(" ") for name in self._asides)
        aside = next((each for each in beside if each[0] == asked.method and path.endswith(each[2])), None)
        if aside:
            return bool(named.uri == "".join(aside))
        if self._answer and self._takes(asked):
            if asked.key not in [each.key for each in self.heard.answered]:
                self.heard.answered.append(asked)
            return bool(named.uri == _OURS)
        line = f"{asked.method} {asked.uri}"
        if line not in self.heard.left:
            self.heard.left.append(line)
        return False


def _aside(document: Any) -> Interaction:
    """A call that is answered with this JSON document."""
    return Interaction(
        method="GET",
        uri="",
        request_headers={},
        request_body=b"",
        status=200,
        reason="OK",
        headers={"content-type": "application/json"},
        body=json.dumps(document).encode(),
    )


def _vcr() -> Any:
    try:
        import vcr  # noqa: PLC0415 - used for what is in the same process alone
    except ImportError:
        raise MockServerError(
            "to record and play in the client's process, vcrpy is needed: pip install vcrpy"
        ) from None
    return vcr


def _tell(line: str) -> None:
    sys.stderr.write(f"{line}\n")


@dataclass(slots=True)
class _Store:
    """Reads and writes cassettes for vcrpy, and says which of its requests are the same."""

    passage: Passage
    redaction: Redaction
    _found: tuple[Interaction, ...] = ()
    _new: list[tuple[Any, dict[str, Any]]] = field(default_factory=list)
    _keys: dict[int, tuple[Any, object]] = field(default_factory=dict)

    def read(self) -> None:
        if self.passage.file.exists():
            self._found = read(self.passage.file)

    def is_same(self, one: Any, other: Any) -> bool:
        return self._key(one) == self._key(other)

    def _key(self, request: Any) -> object:
        # The request is kept beside its key, so that no other can come to have its number.
        kept = self._keys.get(id(request))
        if kept is None:
            kept = request, self.redaction.of(_asked(request)).interaction.key
            self._keys[id(request)] = kept
        return kept[1]

    def load_cassette(self, path: str, serializer: object) -> tuple[list[Any], list[dict[str, Any]]]:
        """What vcrpy asks for: all requests and answers of a file."""
        from vcr.persisters.filesystem import CassetteNotFoundError  # noqa: PLC0415
        from vcr.request import Request  # noqa: PLC0415

        if not self._found:
            raise CassetteNotFoundError
        requests = [
            Request(each.method, each.uri, each.request_body, dict(each.request_headers)) for each in self._found
        ]
        answers = [{**_answer(each), _OURS: number} for number, each in enumerate(self._found)]
        return requests, answers

    def save_cassette(self, path: str, cassette_dict: dict[str, Any], serializer: object) -> None:
        """What vcrpy has at its end. It is written later: vcrpy would leave the clients patched if that failed."""
        pairs = zip(cassette_dict["requests"], cassette_dict["responses"], strict=True)
        self._new = [(request, answer) for request, answer in pairs if _OURS not in answer]

    def write(self) -> None:
        """Write what the file had not."""
        if not self._new:
            return
        tape = Tape(self.passage.file, self.redaction, _ORIGIN)
        for number, (request, answer) in enumerate(self._new):
            try:
                tape.add(_interaction(request, answer), number)
            except (ValueError, OSError, EOFError, zlib.error) as error:
                tape.leave_out(request.method, request.uri, str(error))
        tape.save()
        self.passage.recorded = tape.recorded
        self.passage.left_out = tuple(tape.left_out)

    def note(self, used: Any) -> None:
        """Note what vcrpy has done, once the file is written."""
        passage = self.passage
        passage.played = used.play_count
        passage.unused = tuple(
            f"{each.method} {each.uri}" for number, each in enumerate(self._found) if not used.play_counts[number]
        )
        told = []
        if passage.recorded:
            told.append(f"{passage.recorded} recorded through vcrpy: when and in which parts they arrived is lost")
        if passage.left_out:
            told.append(f"{len(passage.left_out)} left out: {', '.join(passage.left_out)}")
        if passage.played:
            timed = any(each.is_timed for number, each in enumerate(self._found) if used.play_counts[number])
            lost = "recorded arrivals, cuts and endings are lost" if timed else "their cuts are lost"
            told.append(f"{passage.played} played through vcrpy, whole and at once: {lost}")
        passage.lost = f"{passage.file}: answers {'; '.join(told)}" if told else ""


def _asked(request: Any) -> Interaction:
    """A request of vcrpy's, as one that has no answer yet."""
    headers = {str(name).lower(): _text(value) for name, value in request.headers.items()}
    return Interaction(
        method=request.method.upper(),  # aiohttp's users may write it in small letters
        uri=request.uri,
        request_headers=headers,
        request_body=_body(request.body_bytes),
        status=200,
        reason="",
        headers={},
        body=b"",
    )


def _body(body: object) -> bytes:
    """A request's body; of aiohttp vcrpy keeps what it was given, before it is made JSON."""
    if isinstance(body, bytes | bytearray):
        return bytes(body)
    return b"" if body is None else json.dumps(body, default=str).encode()


def _interaction(request: Any, answer: dict[str, Any]) -> Interaction:
    headers = {str(name).lower(): _text(value) for name, value in answer["headers"].items()}
    body, headers = unpacked(answer["body"]["string"] or b"", headers)
    status = answer["status"]
    return replace(_asked(request), status=status["code"], reason=status["message"] or "", headers=headers, body=body)


def _answer(found: Interaction) -> dict[str, Any]:
    return {
        "status": {"code": found.status, "message": found.reason},
        "headers": {name: [value] for name, value in found.headers.items()},
        "body": {"string": found.body},
    }


def _text(value: object) -> str:
    """A header's value; of several, all in one line."""
    if isinstance(value, list | tuple):
        return ", ".join(map(_text, value))
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)
