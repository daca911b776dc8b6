"""Cassettes as rules see them: found, named, read, and played as they were recorded."""

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest

import mockserver
from conformance import cassettes
from conformance.cassettes import Cassettes, load, of_interactions, own_cassettes
from mockserver import CassetteError, Fault, Refused, Reply
from mockserver.cassettes.interaction import Interaction, dump

from ..recordings import MADE, PLAIN, arriving, interaction, only, refused, streamed, whole, with_error


def written(file: Path, *interactions: Interaction) -> Path:
    content = dump(interactions).encode()
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(gzip.compress(content) if file.suffix == ".gz" else content)
    return file


def test_files_and_folders_are_read(tmp_path: Path) -> None:
    """Files as given, folders with all below them in order; a file that is found twice is read once."""
    one = written(tmp_path / "z one.yml", streamed(PLAIN))
    written(tmp_path / "below" / "B.yaml.gz", streamed(PLAIN), whole(PLAIN))
    written(tmp_path / "below" / "deep" / "a.yaml", streamed(PLAIN))
    written(tmp_path / "below" / ".hidden.yaml", streamed(PLAIN))
    (tmp_path / "below" / "notes.txt").write_text("nothing")
    (tmp_path / "below" / "script.yaml").write_text("turns: []")
    found = load([one, tmp_path / "below", one]).recorded
    assert [(each.file.name, each.number, each.label) for each in found] == [
        ("z one.yml", 1, "z-one"),
        ("B.yaml.gz", 1, "b-1"),
        ("B.yaml.gz", 2, "b-2"),
        ("a.yaml", 1, "a"),
    ]


def test_what_cannot_be_read_is_told_at_once(tmp_path: Path) -> None:
    """One line for each path."""
    (tmp_path / "broken.yaml").write_text("interactions: [")
    (tmp_path / "empty").mkdir()
    good = written(tmp_path / "good.yaml", streamed(PLAIN))
    with pytest.raises(CassetteError) as error:
        load([tmp_path / "gone.yaml", good, tmp_path / "broken.yaml", tmp_path / "empty"])
    gone, broken, empty = str(error.value).splitlines()
    assert gone == f"{tmp_path}/gone.yaml: No such file or directory"
    assert broken.startswith(f"{tmp_path}/broken.yaml, line 2: ")
    assert empty == f"{tmp_path}/empty: holds no cassettes (.yaml, .yml, .yaml.gz)"


@pytest.mark.parametrize(
    ("name", "label"), [("A b_C.1.yaml", "a-b-c-1"), ("ü.yml", "cassette"), ("x.yaml.gz", "x"), ("plain", "plain")]
)
def test_labels_can_stand_in_node_ids(name: str, label: str) -> None:
    """Letters, digits and hyphens, from the name of the file."""
    assert [each.label for each in of_interactions([(Path(name), [streamed(PLAIN)])]).recorded] == [label]


def test_labels_tell_files_of_one_name_apart() -> None:
    """Each but the first has a number; alone, a file has its own label."""
    files = [(Path(folder) / "x.yaml", [streamed(PLAIN)]) for folder in "abc"]
    found = of_interactions(files).recorded
    assert [(each.label, each.alone) for each in found] == [("x", "x"), ("x-again-2", "x"), ("x-again-3", "x")]


def test_places_are_relative_to_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where they are below it; both the file and the interaction are named."""
    file = written(tmp_path / "below" / "a.yaml", streamed(PLAIN))
    monkeypatch.chdir(tmp_path)
    [recorded] = load([file]).recorded
    assert (recorded.place, recorded.path) == ("below/a.yaml, interaction 1", "below/a.yaml")
    monkeypatch.chdir(tmp_path / "below")
    assert recorded.place == "a.yaml, interaction 1"
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    assert recorded.path == str(file)


def test_recordings_are_counted_by_wire() -> None:
    """Dialects count with their family; what no model asks for is counted by its reason."""
    given = of_interactions(
        [
            (Path("a.yaml"), [streamed(PLAIN), streamed(PLAIN, wire="groq-chat")]),
            (Path("b.yaml"), [streamed(PLAIN, wire="anthropic-messages"), streamed(PLAIN, method="GET")]),
            (Path("c.yaml"), [streamed(PLAIN, uri="https://shop.example/parrots")]),
        ]
    )
    assert given.unknown == Counter({"the method GET": 1, "no known wire": 1})
    assert [each.wire.name for each in given.of({"openai-chat": "openai-chat"})] == ["openai-chat", "groq-chat"]
    assert given.count == 5
    assert given.others({"openai-chat": "openai-chat"}) == (
        "3 of 5 recorded interactions: 1 of anthropic-messages, 1 of the method GET, 1 of no known wire"
    )
    assert given.others({"openai-chat": "openai-chat", "anthropic-messages": "anthropic-messages"}).startswith(
        "2 of 5 recorded interactions: "
    )
    assert MADE.others({"openai-chat": "openai-chat"}) == ""


@pytest.mark.parametrize(
    ("given", "streams", "is_complete", "error"),
    [
        (streamed(PLAIN), True, True, None),
        (streamed(PLAIN, wire="anthropic-messages"), True, True, None),
        (streamed(PLAIN, wire="openai-responses"), True, True, None),
        (streamed(PLAIN, keep=-1), True, False, None),
        (streamed(PLAIN, keep=3, ended="closed"), True, False, None),
        (whole(PLAIN), False, True, None),
        (interaction(b'{"id": ', stream=False, ended="reset"), False, False, None),
        (with_error(PLAIN, "Too much"), True, False, "Too much"),
        (refused(Refused(429, "Slow down"), stream=True), True, True, "HTTP 429, 'Slow down'"),
        (refused(Refused(400, "No"), stream=False), False, True, "HTTP 400, 'No'"),
        (interaction(b"", status=502, stream=False, request_body=b""), False, False, "HTTP 502"),
    ],
)
def test_what_a_recording_is(given: Interaction, *, streams: bool, is_complete: bool, error: str | None) -> None:
    """Whether a stream was asked for, whether all is there, and what went wrong."""
    recorded = only(given)
    assert (recorded.streams, recorded.is_complete, recorded.error) == (streams, is_complete, error)


@pytest.mark.parametrize(
    ("more", "asks"),
    [
        ({"stream": True}, False),
        ({"stream": True, "stream_options": {"include_usage": True}}, True),
        ({}, True),
    ],
)
def test_whether_usage_was_asked_for(more: dict[str, Any], *, asks: bool) -> None:
    """Where it must be: of a stream."""
    body = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], **more}
    assert only(streamed(PLAIN, request_body=json.dumps(body).encode())).asks_usage is asks


def test_a_request_that_was_not_kept_may_have_asked_for_usage() -> None:
    """Nothing says that it did not."""
    assert only(streamed(PLAIN, request_body=b"")).asks_usage


@pytest.mark.parametrize(
    ("ended", "fault"),
    [
        ("whole", None),
        ("closed", Fault("close", "close")),
        ("reset", Fault("reset", "close")),
        ("timed out", Fault("close", "close")),
        ("interrupted", Fault("close", "close")),
    ],
)
def test_turns_end_as_recordings_do(ended: Any, fault: Fault | None) -> None:
    """A stream that was waited for in vain is closed, so that nobody waits for it again."""
    turn = only(streamed(PLAIN, ended=ended)).turn(7)
    assert (turn.delivery.fault, turn.delivery.cuts) == (fault, 7)


def test_a_turn_plays_the_recorded_bytes() -> None:
    """Cut as recorded; a client reads them as they are."""
    given = arriving(streamed(Reply.of("né")), 10, 1)
    recorded = only(given)
    with mockserver.serve(recorded.turn("recorded")) as server:
        headers = {"authorization": "Bearer key"}
        url = f"{server.url}/v1/chat/completions"
        answer = httpx.post(url, content=given.request_body, headers=headers).content
        sizes = [write.size for write in server.exchanges[0].writes]
    assert answer == given.body
    assert sizes == [10, 1, len(given.body) - 11]
    assert server.exchanges[0].turn is not None
    assert server.exchanges[0].turn.describe() == "5 recorded frames of made.yaml, interaction 1"


def test_own_cassettes_are_found_in_a_checkout_and_in_a_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first of the two folders that there is; none where there is neither."""
    assert {"goldfish-stream", "goldfish-astream"} <= {each.label for each in own_cassettes().recorded}
    assert not own_cassettes().chosen
    written(tmp_path / "second" / "x.yaml", streamed(PLAIN))
    own_cassettes.cache_clear()
    monkeypatch.setattr(cassettes, "_SHIPPED", (tmp_path / "first", tmp_path / "second"))
    assert [each.label for each in own_cassettes().recorded] == ["x"]
    own_cassettes.cache_clear()
    monkeypatch.setattr(cassettes, "_SHIPPED", (tmp_path / "first",))
    assert own_cassettes() == Cassettes()
    own_cassettes.cache_clear()
