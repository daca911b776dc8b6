"""What is wrong in a script is told with file, line, key, and the nearest right one."""

from pathlib import Path

import pytest

from mockserver import ScriptError
from mockserver.scripts.loader import faults, load, load_script

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
    ("turns: [reply: a]\nturns: [reply: b]\n", 2, "key 'turns' stands twice"),
    ("turns:\n- times: 1\n", 2, "turns: a turn has either a reply, an error or a recording"),
    (TURN + "  error: {status: 400}\n", 2, "turns: a turn has either a reply, an error or a recording"),
    ("turns:\n- error: {message: a}\n", 2, "error: an error has 'status'"),
    (TURN + "  delivery: {fault: {kind: close}}\n", 3, "fault: a fault has 'before'"),
    (TURN + "  delivery: {fault: {before: 1}}\n", 3, "fault: a fault has 'kind'"),
    ("turns:\n- reply: {reasoning: {}}\n", 2, "reasoning: Reasoning has at least one piece"),
    ("turns:\n- reply: {reasoning: {pieces: a, redacted: true}}\n", 2, "reasoning: redacted reasoning has a signatu"),
    ("turns:\n- reply: {text: {citations: []}}\n", 2, "text: a text has 'pieces'"),
    ("turns:\n- reply: {text: {pieces: a, citations: [{}]}}\n", 2, "citations: a citation has a url, a title or a q"),
    ("turns:\n- reply: {text: {pieces: a, citations: [{url: u, start: 1}]}}\n", 2, "citations: a citation is of the c"),
    ("turns:\n- reply: {media: {mime_type: image/png}}\n", 2, "media: media has 'data'"),
    ("turns:\n- reply: {media: {mime_type: image/png, data: '*'}}\n", 2, "media: the data of media are base64"),
    ("turns:\n- reply: {media: {mime_type: png, data: ''}}\n", 2, "media: a mime type is like image/png, not 'png'"),
    ("turns:\n- reply: {server_tool_result: {call_id: a, kind: b}}\n", 2, "server_tool_result: the result of a server"),
    ("turns:\n- reply: {server_tool_result: {call_id: a, kind: b, output: c}}\n", 2, "is JSON text, not 'c'"),
    ("turns:\n- reply: {server_tool_call: {name: f, args: {}, signature: s}}\n", 2, "unknown key 'signature'"),
    ("turns:\n- reply: {text: [a, b], refusal: c, order: [0, 1]}\n", 2, "reply: an order names each block once for e"),
    ("turns:\n- reply: {text: a, order: [-1]}\n", 2, "order: a whole number from 0 is wanted here, not -1"),
    ("turns:\n- reply:\n    usage: {input_tokens: 1}\n", 3, "usage: usage has 'output_tokens'"),
    ("turns:\n- reply: {blocks: [], text: a}\n", 2, "reply: content stands either under 'blocks' or beside it ("),
    ("turns:\n- reply:\n  - {text: a, refusal: b}\n", 3, "reply: a block has exactly one of reasoning, server_tool"),
    ("turns:\n- reply: [a, b]\n", 2, "reply: each item is a block, such as 'text: …'"),
    # arguments
    (CALL + "      name: f\n", 4, "tool_call: a tool call has either 'args' (a mapping) or 'pieces'"),
    (CALL + "      name: f\n      args: {}\n      pieces: a\n", 4, "tool_call: a tool call has either 'args' (a map"),
    (CALL + "      args: {}\n", 4, "tool_call: a tool call has 'name'"),
    (CALL + "      name: f\n      args: [1]\n", 5, "args: a mapping is wanted here, not [1]"),
    (CALL + "      name: ''\n      args: {}\n", 4, "name: a string that is not empty is wanted here, not ''"),
    (CALL + "      name: f\n      args: {a: 2024-01-01}\n", 4, "tool_call: Object of type date is not JSON serializab"),
    (CALL + "      name: f\n      args: {a: .nan}\n", 4, "tool_call: Out of range float values are not JSON compliant"),
    # types and values
    ("- a\n", 1, "a mapping with turns, loop, default, about, $schema is wanted here, not ['a']"),
    ("hi\n", 1, "a mapping with turns, loop, default, about, $schema is wanted here, not 'hi'"),
    ("turns: hi\n", 1, "turns: a list is wanted here, not 'hi'"),
    ("turns: []\n", 1, "turns: a script has at least one turn"),
    ("turns:\n", 1, "turns: a list is wanted here, not None"),
    ("turns:\n- hi\n", 2, "turns: a mapping with reply, error, when, delivery, times is wanted here, not 'hi'"),
    ("turns:\n- reply:\n", 2, "reply: a string, a list of blocks or a mapping is wanted here, not None"),
    ("turns:\n- reply: 5\n", 2, "reply: a string that is not empty is wanted here, not 5"),
    ("turns:\n- reply: ''\n", 2, "reply: a string that is not empty is wanted here, not ''"),
    ("turns:\n- reply: {text: []}\n", 2, "text: a text has at least one piece"),
    ("turns:\n- reply: {text: [a, 5]}\n", 2, "text: a string that is not empty is wanted here, not 5"),
    ("turns:\n- reply: {text: [a, '']}\n", 2, "text: a string that is not empty is wanted here, not ''"),
    ('turns:\n- reply: "\\ud83d"\n', 2, "reply: Text has half a surrogate pair"),
    ("turns:\n- reply: {finish_reason: lenght}\n", 2, "finish_reason: 'lenght' is not known; did you mean 'length'?"),
    ("turns:\n- reply: {finish_reason: 5}\n", 2, "finish_reason: one of stop, length, "),
    ("turns:\n- reply: {usage: {input_tokens: a, output_tokens: 1}}\n", 2, "input_tokens: a whole number is wanted "),
    ("turns:\n- reply: {usage: {input_tokens: true, output_tokens: 1}}\n", 2, "whole number is wanted here, not True"),
    ("turns:\n- reply: {usage: {input_tokens: 1, output_tokens: 1, reasoning: 2}}\n", 2, "usage: output_tokens includ"),
    ("turns:\n- reply:\n  - tool_call: {name: f, args: {}}\n  - tool_call: {name: g, args: {}}\n", 3, "the same id"),
    ("turns:\n- error: {status: 200}\n", 2, "status: the HTTP status of an error, from 400 to 599, is wanted here, n"),
    ("turns:\n- error: {status: yes}\n", 2, "status: the HTTP status of an error, from 400 to 599, is wanted here, n"),
    ("turns:\n- error: {status: 400, headers: {a: [1]}}\n", 2, "a: a text of one line, or a number is wanted here"),
    ('turns:\n- error: {status: 400, headers: {a: "b\\r\\nc: d"}}\n', 2, "a: a text of one line, or a number is w"),
    (TURN + "  times: 0\n", 3, "times: a number of requests, at least 1, is wanted here, not 0"),
    (TURN + "  times: two\n", 3, "times: a number of requests, at least 1, is wanted here, not 'two'"),
    (TURN + "  when:\n", 3, "when: a mapping with wire, model, path, stream, text, messages, too"),
    (TURN + "  when: {wire: openai}\n", 3, "wire: 'openai' is not known; did you mean 'openai-chat'?"),
    (TURN + "  when: {stream: 'yes'}\n", 3, "stream: true or false is wanted here, not 'yes'"),
    (TURN + "  delivery: {cuts: frames}\n", 3, "cuts: "),
    (TURN + "  delivery: {cuts: [3, 2]}\n", 3, "delivery: cuts are ascending numbers of bytes above 0, not (3, 2)"),
    (TURN + "  delivery: {cuts: [a]}\n", 3, "cuts: a whole number is wanted here, not 'a'"),
    (TURN + "  delivery: {cuts: true}\n", 3, "cuts: a whole number from 0, "),
    (TURN + "  delivery: {pace: {first: -1}}\n", 3, "pace: first is a time in seconds, not -1"),
    (TURN + "  delivery: {pace: {every: .inf}}\n", 3, "pace: every is a time in seconds, not inf"),
    (TURN + "  delivery: {pace: {seed: 1.5}}\n", 3, "seed: a whole number is wanted here, not 1.5"),
    (TURN + "  delivery: {fault: {kind: explode, before: 0}}\n", 3, "kind: 'explode' is not known; known here: close"),
    (TURN + "  delivery: {fault: {kind: close, before: -1}}\n", 3, "before: a whole number from 0, a byte"),
    (TURN + "  delivery: {fault: {kind: close, before: [1]}}\n", 3, "before: a whole number from 0, a byte s"),
    (TURN + "  delivery: {fault: {kind: close, before: 1}}\n", 2, "turns: the fault is before piece 1, and the last i"),
    (TURN + "  delivery: {gates: {fnish: g}}\n", 3, "gates: a whole number from 0, a byte"),
    (TURN + "  delivery: {gates: {1: ''}}\n", 3, "1: the name of a gate is wanted here, not ''"),
    (TURN + "  delivery: {gates: {1: g, 1: h}}\n", 3, "gates: key '1' stands twice"),
    (TURN + "  delivery: {insert: [{before: 0}]}\n", 3, "insert: an insert has 'frames'"),
    (TURN + "  delivery: {insert: [{before: head, frames: [a]}]}\n", 3, "insert: frames are put in before frames"),
    (TURN + "  delivery: {edits: [{kind: drop, at: head}]}\n", 3, "at: a whole number from 0, or one of start, fini"),
    (TURN + "  delivery: {framing: {line_ends: lff}}\n", 3, "line_ends: 'lff' is not known; did you mean 'lf'?"),
    (TURN + "  delivery: {transfer: chunks}\n", 3, "transfer: 'chunks' is not known; did you mean 'chunked'?"),
    (TURN + "  delivery: {cuts: {sed: 1}}\n", 3, "cuts: unknown key 'sed'; did you mean 'seed'?"),
    (TURN + "  delivery: {fault: {kind: close, before: byte x}}\n", 3, "before: a whole number from 0, a byte such"),
    (TURN + "  delivery: {fault: {kind: stop, before: close}}\n", 3, "fault: a 'stop' before 'close' has nothing to"),
    (TURN + "  delivery: {headers: {X-A: b}}\n", 3, "delivery: a header has a name in lower case"),
    (TURN + "  when: {tools: 5}\n", 3, "tools: true, false, a name or a list of names is wanted here, not 5"),
    (TURN + "  when: {headers: {a: 5}}\n", 3, "a: a string is wanted here, not 5"),
    (TURN + "  when: {messages: {last: {rol: tool}}}\n", 3, "last: unknown key 'rol'; did you mean 'role'?"),
    (TURN + "  when: {messages: {cuont: 1}}\n", 3, "messages: unknown key 'cuont'; did you mean 'count'?"),
    (TURN + "  when: {messages: {count: -1}}\n", 3, "count: a whole number from 0 is wanted here, not -1"),
    (TURN + "  when: {messages: [1]}\n", 3, "messages: a string is wanted here, not 1"),
    (TURN + "  when: {messages: user}\n", 3, "messages: a list of which each is a role, or a mapping"),
    (TURN + "default: {reply: a, times: 1}\n", 3, "default: unknown key 'times'; known here: reply, error, deliver"),
    (TURN + "default: {}\n", 3, "default: a turn has either a reply, an error or a recording"),
    (TURN + "loop: often\n", 3, "loop: true or false is wanted here, not 'often'"),
    ("loop: true\n", 1, "a script has 'turns'"),
    ("turns:\n- error: {status: 400, headers: {'a b': c}}\n", 2, "headers: the name of a header is wanted here"),
    # what YAML makes of it
    (TURN + "  times: " + "9" * 5000, 3, "times: a value here is not what its form or tag says"),
    (TURN + "  times: 0x" + "f" * 5000, 3, "times: a number of requests, at least 1, is wanted here, not a number so "),
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


MANY = """\
turns:
- repyl: hi
- reply: {text: [a, 5], finish_reason: lenght}
  times: 0
  delivery:
    pace: {evry: 1}
    fault: {kind: explode, before: x}
- error: {}
lop: true
"""


def test_all_faults_of_a_file_are_told(tmp_path: Path) -> None:
    """`faults` lists them in the order of lines, and the error of `load` has a line for each."""
    file = tmp_path / "many.yaml"
    file.write_text(MANY)
    found = faults(file)
    assert [(each.line, each.key) for each in found if each.line != 1] == [
        (2, "turns"),
        (3, "text"),
        (3, "finish_reason"),
        (4, "times"),
        (6, "pace"),
        (7, "kind"),
        (7, "before"),
        (8, "error"),
        (9, ""),
    ]
    with pytest.raises(ScriptError) as caught:
        load(file)
    assert str(caught.value).splitlines() == [str(each) for each in found]
    assert all(str(each).startswith(f"{file}, line {each.line}") for each in found)


def test_faults_of_several_files_are_told_together(tmp_path: Path) -> None:
    """Files that are one script are all read."""
    files = [tmp_path / "a.yaml", tmp_path / "b.yaml"]
    for file in files:
        file.write_text("turns:\n- repyl: hi\n")
    with pytest.raises(ScriptError) as caught:
        load_script(*files)
    assert [line.split(",")[0] for line in str(caught.value).splitlines()] == [str(file) for file in files]


def test_one_script_has_one_default(tmp_path: Path) -> None:
    """Two files with one are refused, with the name of the second."""
    files = [tmp_path / "a.yaml", tmp_path / "b.yaml"]
    for file in files:
        file.write_text("turns:\n- reply: hi\ndefault: {reply: ho}\n")
    with pytest.raises(ScriptError, match=r"b\.yaml, line 1: a file before this one has a 'default'"):
        load_script(*files)


def test_nothing_is_wrong_in_a_sound_file(tmp_path: Path) -> None:
    """Then the list is empty; a cassette that is wrong has one fault, which names the file once."""
    file = tmp_path / "a.yaml"
    file.write_text(TURN)
    assert faults(file) == []
    file.write_text("interactions: []\nversion: 1\n")
    [fault] = faults(file)
    assert str(fault).count(str(file)) == 1


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
