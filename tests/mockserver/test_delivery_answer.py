"""From a turn to frames: what is encoded once for all answers is what would be encoded for each."""

from dataclasses import replace
from typing import Any

import pytest

from mockserver import WIRES, Asked, Recording, Reply, Turn, Unencodable
from mockserver.scripts.script import named
from mockserver.sending.answer import answer_of

from .helpers import THREE


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("id", [None, "mine"])
def test_answers_of_one_reply_differ_in_their_ids_only(wire: str, id: str | None, *, stream: bool) -> None:
    """Each has the bytes that its wire gives a reply of that id and model."""
    spoken, reply = WIRES[wire], replace(THREE, id=id, model=None)
    for number in (1, 2, 10, 2):
        asked = Asked(wire=wire, model=f"m{number % 2}", stream=stream)
        full = named(reply, id=f"{spoken.id_prefix}mock{number}", model=asked.model)
        try:
            expected = b"".join(frame.data for frame in spoken.frames(full)) if stream else spoken.whole(full)
        except Unencodable as error:
            pytest.skip(str(error))
        answer: Any = answer_of(Turn(reply=reply), spoken, asked, number)
        assert b"".join(frame.data for frame in answer.frames) == expected
        assert [step.data for step in answer.plan.steps] == [frame.data for frame in answer.frames if frame.data]


def test_what_cannot_be_encoded_is_told_each_time() -> None:
    """An error is not kept."""
    asked = Asked(wire="openai-chat", model="m", stream=True)
    turn = Turn(reply=Reply.of("a", finish_reason="pause"))
    for number in (1, 2):
        with pytest.raises(Unencodable, match="no finish reason 'pause'"):
            answer_of(turn, WIRES["openai-chat"], asked, number)


def test_the_wire_that_the_request_names_answers() -> None:
    """Where one path has two forms of streams, the request as read says which."""
    asked = Asked(wire="gemini-array", model="m", stream=True)
    answer = answer_of(Turn(reply=THREE), WIRES["gemini-generate"], asked, 1)
    assert isinstance(answer, Recording)
    assert answer.frames[0].data.startswith(b"[")
