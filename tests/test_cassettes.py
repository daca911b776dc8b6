"""The cassettes of this project are what they say they are."""

import re
import shlex
import shutil
import subprocess
import sys
from itertools import accumulate
from pathlib import Path

import httpx
import pytest
import vcr
import yaml
from syrupy.assertion import SnapshotAssertion

from conformance.cassettes import Recorded, own_cassettes
from mockserver import WIRES, Reply, Turn, serve
from mockserver.cassettes.interaction import Interaction, read
from mockserver.converting.reconstructing import is_same
from mockserver.drawing import inspection, timeline
from mockserver.frames import join
from mockserver.scripts.loader import load

from .record_cassettes import QUESTIONS, WIRES_OF, Planned, planned

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "cassettes"
README = (FOLDER / "README.md").read_text(encoding="utf-8")
GOLDFISH = sorted((FOLDER / "anthropic").glob("goldfish-*.yaml"))
EACH_GOLDFISH = pytest.mark.parametrize("file", GOLDFISH, ids=lambda file: file.stem)
EACH = pytest.mark.parametrize("each", list(planned()), ids=lambda each: each.name)


def recorded(each: Planned) -> Interaction:
    [found] = read(FOLDER / each.file)
    return found


def own(each: Planned) -> Recorded:
    return next(found for found in own_cassettes().recorded if found.label == each.name)


def turn_of(each: Planned) -> Turn:
    """What the script answers on a wire."""
    turns = load(FOLDER / each.script)
    return next(turn for turn in turns if turn.when.wire in (None, each.wire.name))


@EACH_GOLDFISH
def test_goldfish_is_encoded_by_our_wire(file: Path) -> None:
    """The recorded bytes are those that the wire makes of the reply in them, and nothing in them is unknown."""
    [turn] = load(file)
    assert turn.recording
    wire = WIRES["anthropic-messages"]
    decoded = wire.decode_stream(join(turn.recording.frames))
    assert decoded.unknown == ()
    assert wire.frames(decoded.reply) == turn.recording.frames
    assert "how-to guide" in yaml.safe_load(file.read_text(encoding="utf-8"))["origin"]


@EACH_GOLDFISH
def test_goldfish_plays_in_vcrpy_and_here(file: Path) -> None:
    """Stock vcrpy plays the cassette, and the server sends the same bytes."""
    [interaction] = yaml.safe_load(file.read_text(encoding="utf-8"))["interactions"]
    request = interaction["request"]
    with vcr.use_cassette(str(file), record_mode="none"):
        played = httpx.post(request["uri"], content=request["body"]).content
    with serve(file) as server:
        headers = {"x-api-key": "unused", "anthropic-version": "2023-06-01"}
        served = httpx.post(f"{server.url}/v1/messages", content=request["body"], headers=headers).content
    assert played == served == interaction["response"]["body"]["string"].encode()


def test_the_folder_holds_what_is_planned() -> None:
    """A recording of each kind on each wire that can carry it, the goldfish, and nothing else."""
    made = {FOLDER / each.file for each in planned()}
    assert {file for file in FOLDER.rglob("*.yaml") if file.parent.name != "scripts"} == {*made, *GOLDFISH}
    labels = [each.label for each in own_cassettes().recorded]
    assert sorted(labels) == sorted([*(each.name for each in planned()), *(file.stem for file in GOLDFISH)])
    assert own_cassettes().unknown.total() == 0


@EACH
def test_stock_vcrpy_plays_the_bytes_that_are_served(each: Planned) -> None:
    """vcrpy as it is plays the cassette to the recorded request, and the server sends the same bytes."""
    found, request = recorded(each), each.request
    assert (found.method, found.uri, found.request_body) == (request.method, request.uri, request.body)
    with vcr.use_cassette(str(FOLDER / each.file), record_mode="none") as tape:
        played = httpx.post(request.uri, content=request.body, headers=request.headers).content
        assert tape.all_played
    assert played == found.body
    [turn] = load(FOLDER / each.file)
    assert turn.recording
    assert join(turn.recording.frames) == found.body


@EACH
def test_each_says_what_its_script_says(each: Planned) -> None:
    """It decodes to the script's reply, or to what is left of it where it ends in an error or is cut."""
    found, turn, reply = own(each), turn_of(each), own(each).decoded.reply
    assert found.wire is each.wire
    assert found.decoded.unknown == ()
    assert isinstance(turn.reply, Reply)
    fault = turn.delivery.fault
    if fault is None:
        assert is_same(reply, turn.reply, joined=True)
        assert (found.error, found.interaction.ended, found.is_complete) == (None, "whole", True)
    else:
        assert reply.text == "The moon is full"
        assert found.error == (fault.message if fault.kind == "error" else None)
        assert found.interaction.ended == ("closed" if fault.kind == "close" else "whole")
        assert not found.is_complete


@EACH
def test_each_is_decoded_as_before(each: Planned, snapshot: SnapshotAssertion) -> None:
    """The whole reply, with ids, counts and pieces, and the error where it ends in one."""
    found = own(each)
    assert f"{found.decoded.reply}\n{found.error}" == snapshot


def test_timelines_have_the_recorded_times() -> None:
    """Of the parts as they came, from the status line on."""
    [turn] = load(FOLDER / "openai" / "openai-chat-text.yaml")
    assert turn.recording
    assert turn.recording.arrivals
    drawn = inspection.of_turn(turn, 1, wire="openai-chat")
    assert [(mark.at, mark.size) for mark in drawn.marks] == [(each.at, each.size) for each in turn.recording.arrivals]
    assert "times not known" not in timeline.text(drawn)


@EACH
def test_each_came_in_several_parts(each: Planned) -> None:
    """Each part ends where a frame does, as the server wrote them."""
    found = own(each)
    ends = set(accumulate(len(frame.data) for frame in found.recording.frames))
    arrivals = found.interaction.arrivals
    assert arrivals
    assert len(arrivals) > 1 or len(ends) == 1
    assert set(accumulate(arrival.size for arrival in arrivals)) <= ends


@EACH
def test_each_says_that_no_provider_sent_it(each: Planned) -> None:
    """And which script was played; what was sent to get it is not in the file."""
    text = (FOLDER / each.file).read_text(encoding="utf-8")
    origin = yaml.safe_load(text)["origin"]
    assert "no provider sent it" in origin
    assert each.script.as_posix() in origin
    assert "unused" not in text
    assert "127.0.0.1" not in text


def test_the_page_tells_what_there_is() -> None:
    """The table of wires and kinds is that of the folder."""
    rows = re.findall(r"^\| `([\w-]+)` \| (.*) \|$", README.partition("| kind |")[0], re.MULTILINE)
    table = {wire: cells.split(" | ") for wire, cells in rows}
    there = {(each.wire.name, each.kind): f"[yes]({each.file.as_posix()})" for each in planned()}
    wires = [wire for wires in WIRES_OF.values() for wire in wires]
    assert table == {wire: [there.get((wire, kind), "–") for kind in QUESTIONS] for wire in wires}
    kinds = re.findall(r"^\| `([\w-]+)` \|", README.partition("| kind |")[2], re.MULTILINE)
    assert kinds == list(QUESTIONS)


@pytest.mark.parametrize("command", re.findall(r"^\$ (.*)$", README, re.MULTILINE))
def test_commands_of_the_page_work(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each succeeds; to make the recordings again leaves every file as it is, and says what is shown."""
    shutil.copytree(FOLDER, tmp_path / "cassettes")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    name, *arguments = shlex.split(command)
    program = sys.executable if name == "python" else str(Path(sys.executable).parent / name)
    done = subprocess.run([program, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    if name == "python":
        assert done.stdout in re.findall(r"^```text\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
        for file in sorted(FOLDER.rglob("*.yaml")):
            assert (tmp_path / "cassettes" / file.relative_to(FOLDER)).read_bytes() == file.read_bytes()
