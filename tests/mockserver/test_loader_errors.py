"""What is wrong in a script is told with file, line, key, and the nearest right one."""

from pathlib import Path

import pytest

from mockserver import ScriptError
from mockserver.loader import load

TURN = "turns:\n- reply: hi\n"
CALL = "turns:\n- reply:\n    tool_call:\n"
BAD = [
    # unknown keys, at each level
    ("turn:\n- reply: hi\n", 1, "unknown key 'turn'; did you mean 'turns'?"),
    ("turns:\n- repyl: hi\n", 2, "turns: unknown key 'repyl'; did you mean 'reply'?"),
    ("turns:\n- zzz: hi\n", 2, "turns: unknown key 'zzz'; known here: reply, error, when, delivery, times"),
    ("turns:\n- reply:\n    txt: hi\n", 3, "reply: unknown key 'txt'; did you mean 'text'?"),
    ("turns:\n- reply:\n    blocks:\n    - reasonning: a\n", 4, "blocks: unknown key 'reasonning'; did you mean 'reas"),
    ("turns:\n- reply: {reasoning: {piece: a}}\n", 2, "reasoning: unknown key 'piece'; did you mean 'pieces'?"),
    (CALL + "      nmae: f\n", 4, "tool_call: unknown key 'nmae'; did you mean 'name'?"),
    ("turns:\n- reply:\n    usage: {inputtokens: 1}\n", 3, "usage: unknown key 'inputtokens'; did you mean 'input_tok"),
    ("turns:\n- error: {statsu: 400}\n", 2, "error: unknown key 'statsu'; did you mean 'status'?"),
    (TURN + "  when: {modle: m}\n", 3, "when: unknown key 'modle'; did you mean 'model'?"),
    (TURN + "  delivery: {cut: 1}\n", 3, "delivery: unknown key 'cut'; did you mean 'cuts'?"),
    (TURN + "  delivery: {pace: {evry: 1}}\n", 3, "pace: unknown key 'evry'; did you mean 'every'?"),
    (TURN + "  delivery: {fault: {knid: close}}\n", 3, "fault: unknown key 'knid'; did you mean 'kind'?"),
    # keys that are no names
    ("turns:\n- 1: hi\n", 2, "turns: unknown key '1'"),
    ("turns:\n- ? [a]\n  : b\n", 2, "turns: unknown key 'a list or mapping'"),
    ("? {a: b}\n: c\n", 1, "unknown key 'a list or mapping'; known here: turns"),
    ("turns:\n- &a\n  reply: hi\n- <<: *a\n", 4, "turns: unknown key '<<'"),
    # keys twice, or missing
    (TURN + "  reply: ho\n", 3, "turns: key 'reply' stands twice"),
    ("turns: []\nturns: []\n", 2, "key 'turns' stands twice"),
    ("turns:\n- times: 1\n", 2, "turns: a turn has either a reply, an error or a recording"),
    (TURN + "  error: {status: 400}\n", 2, "turns: a turn has either a reply, an error or a recording"),
    ("turns:\n- error: {message: a}\n", 2, "error: an error has a 'status'"),
    (TURN + "  delivery: {fault: {kind: close}}\n", 3, "fault: a fault has 'before'"),
    (TURN + "  delivery: {fault: {before: 1}}\n", 3, "fault: a fault has 'kind'"),
    ("turns:\n- reply: {reasoning: {signature: a}}\n", 2, "reasoning: reasoning has 'pieces'"),
    ("turns:\n- reply:\n    usage: {input_tokens: 1}\n", 3, "usage: usage has 'output_tokens'"),
    ("turns:\n- reply: {blocks: [], text: a}\n", 2, "text: content stands either under 'blocks' or beside it, not bot"),
    ("turns:\n- reply:\n  - {text: a, refusal: b}\n", 3, "reply: a block has exactly one of reasoning, text, refusal"),
    ("turns:\n- reply: [a, b]\n", 2, "reply: each item is a block, such as 'text: …'"),
    # arguments
    (CALL + "      name: f\n", 4, "tool_call: a tool call has a 'name', and either 'args' (a mapping) or 'pieces'"),
    (CALL + "      name: f\n      args: {}\n      pieces: a\n", 4, "tool_call: a tool call has a 'name', and either"),
    (CALL + "      args: {}\n", 4, "tool_call: a tool call has a 'name', and either"),
    (CALL + "      name: f\n      args: [1]\n", 5, "args: a mapping is wanted here, not [1]"),
    (CALL + "      name: ''\n      args: {}\n", 4, "tool_call: a tool call has an id and a name"),
    (CALL + "      name: f\n      args: {a: 2024-01-01}\n", 4, "tool_call: Object of type date is not JSON serializab"),
    (CALL + "      name: f\n      args: {a: .nan}\n", 4, "tool_call: Out of range float values are not JSON compliant"),
    # types and values
    ("- a\n", 1, "a mapping with turns is wanted here, not ['a']"),
    ("hi\n", 1, "a mapping with turns is wanted here, not 'hi'"),
    ("turns: hi\n", 1, "turns: a list is wanted here, not 'hi'"),
    ("turns: []\n", 1, "turns: a script has at least one turn"),
    ("turns:\n", 1, "turns: a list is wanted here, not None"),
    ("turns:\n- hi\n", 2, "turns: a mapping with reply, error, when, delivery, times is wanted here, not 'hi'"),
    ("turns:\n- reply:\n", 2, "reply: a string is wanted here, not None"),
    ("turns:\n- reply: 5\n", 2, "reply: a string is wanted here, not 5"),
    ("turns:\n- reply: ''\n", 2, "reply: Text is made of non-empty strings, not ''"),
    ("turns:\n- reply: {text: []}\n", 2, "text: Text has at least one piece"),
    ("turns:\n- reply: {text: [a, 5]}\n", 2, "text: a string is wanted here, not 5"),
    ("turns:\n- reply: {text: [a, '']}\n", 2, "text: Text is made of non-empty strings, not ''"),
    ('turns:\n- reply: "\\ud83d"\n', 2, "reply: Text has half a surrogate pair"),
    ("turns:\n- reply: {finish_reason: lenght}\n", 2, "finish_reason: 'lenght' is not known; did you mean 'length'?"),
    ("turns:\n- reply: {finish_reason: 5}\n", 2, "finish_reason: one of stop, length, "),
    ("turns:\n- reply: {usage: {input_tokens: a, output_tokens: 1}}\n", 2, "input_tokens: a number of tokens is wante"),
    ("turns:\n- reply: {usage: {input_tokens: true, output_tokens: 1}}\n", 2, "tokens is wanted here, not True"),
    ("turns:\n- reply: {usage: {input_tokens: 1, output_tokens: 1, reasoning: 2}}\n", 2, "usage: output_tokens includ"),
    ("turns:\n- reply:\n  - tool_call: {name: f, args: {}}\n  - tool_call: {name: g, args: {}}\n", 3, "the same id"),
    ("turns:\n- error: {status: 200}\n", 2, "status: the status of an error is from 400 to 599, not 200"),
    ("turns:\n- error: {status: yes}\n", 2, "status: an HTTP status is wanted here, not True"),
    ("turns:\n- error: {status: 400, headers: {a: [1]}}\n", 2, "headers: a header is a name and a text of one line"),
    ('turns:\n- error: {status: 400, headers: {a: "b\\r\\nc: d"}}\n', 2, "headers: a header is a name and a text of o"),
    (TURN + "  times: 0\n", 2, "turns: a turn answers at least one request, not 0"),
    (TURN + "  times: two\n", 3, "times: a number of requests is wanted here, not 'two'"),
    (TURN + "  when:\n", 3, "when: a mapping with wire, model, text, stream is wanted here, not None"),
    (TURN + "  when: {wire: openai}\n", 3, "wire: 'openai' is not known; did you mean 'openai-chat'?"),
    (TURN + "  when: {stream: 'yes'}\n", 3, "stream: true or false is wanted here, not 'yes'"),
    (TURN + "  delivery: {cuts: frames}\n", 3, "delivery: cuts are 'frame', 'whole', a number of bytes or a list"),
    (TURN + "  delivery: {cuts: [3, 2]}\n", 3, "delivery: cuts are ascending numbers of bytes above 0, not (3, 2)"),
    (TURN + "  delivery: {cuts: [a]}\n", 3, "delivery: cuts are 'frame', 'whole'"),
    (TURN + "  delivery: {cuts: {a: 1}}\n", 3, "delivery: cuts are 'frame', 'whole'"),
    (TURN + "  delivery: {pace: {first: -1}}\n", 3, "pace: first is a time in seconds, not -1"),
    (TURN + "  delivery: {pace: {every: .inf}}\n", 3, "pace: every is a time in seconds, not inf"),
    (TURN + "  delivery: {pace: {seed: 1.5}}\n", 3, "seed: a whole number is wanted here, not 1.5"),
    (TURN + "  delivery: {fault: {kind: explode, before: 0}}\n", 3, "kind: 'explode' is not known; known here: close"),
    (TURN + "  delivery: {fault: {kind: close, before: -1}}\n", 3, "before: the number of a piece, or one of head, fi"),
    (TURN + "  delivery: {fault: {kind: close, before: [1]}}\n", 3, "before: the number of a piece, or one of head"),
    (TURN + "  delivery: {fault: {kind: close, before: 1}}\n", 2, "turns: the fault is before piece 1, and the last i"),
    # what YAML makes of it
    (TURN + "  times: " + "9" * 5000, 3, "times: a value here is not what its form or tag says"),
    (TURN + "  times: 0x" + "f" * 5000, 3, "times: a number of requests is wanted here, not a number so large"),
    ("turns:\n- reply: 2024-99-99\n", 2, "reply: a value here is not what its form or tag says"),
    ("turns:\n- reply: !!int foo\n", 2, "reply: a value here is not what its form or tag says"),
    ("turns:\n- reply: !!bool foo\n", 2, "reply: a value here is not what its form or tag says"),
    ("turns:\n- reply: !!timestamp foo\n", 2, "reply: a value here is not what its form or tag says"),
    ("turns: &a [*a]\n", 1, "turns: found unconstructable recursive node"),
    ("&a\nturns: *a\n", 1, "turns: found unconstructable recursive node"),
    ("turns:\n- reply: &a\n    blocks: [*a]\n", 3, "blocks: unknown key 'blocks'"),
    (CALL + "      name: x\n      args: &b {k: [*b]}\n", 5, "args: found unconstructable recursive node"),
    ("turns:\n- reply: !!python/name:os.system x\n", 2, "reply: could not determine a constructor for the tag"),
    ("turns:\n- reply: *nope\n", 2, "found undefined alias 'nope'"),
    ("turns:\n\t- reply: hi\n", 2, "found character '\\t' that cannot start any token"),
    ("turns: [\n", 2, "expected the node content, but found '<stream end>'"),
    ("turns: []\n---\nturns: []\n", 2, "but found another document"),
    ("turns:\n- reply: hi # \x00\n", 2, "special characters are not allowed"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "line", "words"), BAD, ids=[words for _, _, words in BAD])
def test_bad_scripts_are_told_with_line_and_key(tmp_path: Path, text: str, line: int, words: str) -> None:
    """One `ScriptError`, on one line, that begins with file and line and names the key."""
    file = tmp_path / "bad.yaml"
    file.write_text(text)
    with pytest.raises(ScriptError) as caught:
        load(file)
    told = str(caught.value)
    assert told.startswith(f"{file}, line {line}")
    assert words in told
    assert "\n" not in told


def test_a_file_with_nothing_in_it(tmp_path: Path) -> None:
    """Empty, or comments alone."""
    file = tmp_path / "empty.yaml"
    for text in ("", "# nothing\n"):
        file.write_text(text)
        with pytest.raises(ScriptError, match=r"empty\.yaml: is empty"):
            load(file)


def test_an_empty_mapping_names_both_kinds_of_file(tmp_path: Path) -> None:
    """Neither a script nor a cassette."""
    file = tmp_path / "neither.yaml"
    file.write_text("{}\n")
    with pytest.raises(ScriptError, match=r"has neither 'turns' \(a script\) nor 'interactions' \(a cassette\)"):
        load(file)


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    """Scripts are UTF-8."""
    file = tmp_path / "latin.yaml"
    file.write_bytes("turns:\n- reply: hé\n".encode("latin-1"))
    with pytest.raises(ScriptError, match=r"latin\.yaml: is not UTF-8 text"):
        load(file)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    """A missing file and a directory are named, with the system's reason."""
    with pytest.raises(ScriptError, match=r"none\.yaml: No such file or directory"):
        load(tmp_path / "none.yaml")
    with pytest.raises(ScriptError, match="Is a directory"):
        load(tmp_path)


def test_nesting_without_end(tmp_path: Path) -> None:
    """A depth that no script has is an error and not a traceback."""
    file = tmp_path / "deep.yaml"
    file.write_text("turns: " + "[" * 1000 + "]" * 1000)
    with pytest.raises(ScriptError, match="is nested too deeply"):
        load(file)


@pytest.mark.parametrize(
    "place", ["turns: {}", "turns:\n- reply: {}", "turns:\n- reply: {{tool_call: {{args: {}}}}}", "a: {}"]
)
def test_tags_execute_nothing(tmp_path: Path, place: str) -> None:
    """Python's tags are refused wherever they stand."""
    witness = tmp_path / "witness"
    file = tmp_path / "tags.yaml"
    file.write_text(place.format(f"!!python/object/apply:os.system ['touch {witness}']"))
    with pytest.raises(ScriptError):
        load(file)
    assert not witness.exists()
