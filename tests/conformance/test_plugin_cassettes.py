"""`--cassette` from the command line."""

from pathlib import Path

import pytest

from mockserver import Refused
from mockserver.cassettes.interaction import Interaction, dump

from ..recordings import CALLING, PLAIN, THOUGHTFUL, refused, streamed, whole, with_error
from .plugin_runs import REFERENCE, run

TWICE = """
from tests.reference import ReferenceChat


class Twice(ReferenceChat):
    def _chunk(self, event):
        chunk = super()._chunk(event)
        if chunk:
            chunk.message.content *= 2
        return chunk
"""


def write(folder: pytest.Pytester, name: str, *interactions: Interaction) -> Path:
    file = folder.path / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(dump(interactions), encoding="utf-8")
    return file


def test_the_rules_of_replay_run_alone(folder: pytest.Pytester) -> None:
    """On each recording, and on no other; no other rules run."""
    write(folder, "a.yaml", streamed(PLAIN), whole(CALLING))
    write(folder, "b.yaml", streamed(THOUGHTFUL))
    result = run(folder, REFERENCE, "--cassette=a.yaml", "--cassette=b.yaml", "-v")
    result.assert_outcomes(passed=18)
    result.stdout.fnmatch_lines(
        [
            "cassettes: 3 recorded interactions",
            "conformance::ReferenceChat::REPLAY-01-sync-a-1 PASSED*",
            "conformance::ReferenceChat::REPLAY-01-async-b PASSED*",
            "conformance::ReferenceChat::REPLAY-04-sync-b PASSED*",
            "  REPLAY     3       1",
        ]
    )
    result.stdout.no_fnmatch_line("*goldfish*")


def test_a_folder_of_cassettes(folder: pytest.Pytester) -> None:
    """With those of other wires counted in one line; workers find the same."""
    write(folder, "kept/a.yaml", streamed(PLAIN))
    write(folder, "kept/b.yaml", streamed(PLAIN, wire="anthropic-messages"), streamed(PLAIN, wire="groq-chat"))
    write(folder, "kept/c.yaml", with_error(PLAIN, "Too much"))
    told = "  cassettes  not applicable are 1 of 4 recorded interactions: 1 of anthropic-messages"
    for more in ([], ["-p", "xdist", "-n", "2"]):
        result = run(folder, REFERENCE, "--cassette=kept", *more)
        # What is no answer to its end has nothing to drop.
        result.assert_outcomes(passed=17)
        assert told in result.outlines


def test_cassettes_of_other_wires_alone(folder: pytest.Pytester) -> None:
    """Each rule says once that it has nothing to judge, and why."""
    write(folder, "a.yaml", streamed(PLAIN, wire="anthropic-messages"))
    result = run(folder, REFERENCE, "--cassette=a.yaml", "-rs")
    result.assert_outcomes(skipped=6)
    why = "no recording for ReferenceChat (openai-chat): 1 of 1 recorded interactions: 1 of anthropic-messages"
    result.stdout.fnmatch_lines([f"SKIPPED * conformance::ReferenceChat::REPLAY-01: {why}"])
    result.stdout.fnmatch_lines(["  REPLAY     -       -  4 n/a"])
    assert result.ret == pytest.ExitCode.OK


def test_errors_alone(folder: pytest.Pytester) -> None:
    """Where all recordings are errors, nothing can be dropped."""
    write(folder, "a.yaml", refused(Refused(503, "Overloaded"), stream=True))
    result = run(folder, REFERENCE, "--cassette=a.yaml", "-rs")
    result.assert_outcomes(passed=5, skipped=1)
    result.stdout.fnmatch_lines(["SKIPPED * those that there are end in errors, or break off"])


def test_failure_text_and_rerun(folder: pytest.Pytester) -> None:
    """It names file and interaction, what was expected and seen; its last line runs the same item again."""
    folder.makepyfile(twice=TWICE)
    write(folder, "kept/Fish 1.yaml", streamed(PLAIN), streamed(CALLING))
    result = run(folder, "--chat-model=twice:Twice", "--cassette=kept", "-k", "REPLAY-01-sync-fish-1-1")
    result.stdout.fnmatch_lines(
        [
            "REPLAY-01  MUST  a recorded answer is what the model gives: *",
            "  Twice · stream",
            "  expected   29 characters: 'The moon is full of goldfish.'",
            "  observed   58 characters: 'The moon The moon is full is full of *",
            "  because    they differ from character 9 on",
            "  script     openai-chat: * recorded frames of kept/Fish 1.yaml, interaction 1",
            "  wire       * frames, *",
            "  rerun      pytest --chat-model=twice:Twice --cassette='kept/Fish 1.yaml' -k REPLAY-01-sync-fish-1-1",
        ]
    )
    again = run(folder, "--chat-model=twice:Twice", "--cassette=kept/Fish 1.yaml", "-k", "REPLAY-01-sync-fish-1-1")
    again.assert_outcomes(failed=1)


def test_a_dialect_of_another_provider_warns(folder: pytest.Pytester) -> None:
    """What was recorded on another provider's dialect of the model's wire is a SHOULD, and says so."""
    folder.makepyfile(twice=TWICE)
    write(folder, "a.yaml", streamed(PLAIN, wire="groq-chat"))
    result = run(folder, "--chat-model=twice:Twice", "--cassette=a.yaml", "-k", "REPLAY-01", "-v")
    assert result.parseoutcomes()["warned"] == 2
    result.stdout.fnmatch_lines(
        ["  level      SHOULD here: it was recorded on groq-chat, and Twice is for openai-chat"]
    )
    assert result.ret == pytest.ExitCode.OK


def test_each_wire_of_a_class(folder: pytest.Pytester) -> None:
    """A class that speaks several wires is built for that of each recording."""
    write(folder, "a.yaml", streamed(PLAIN), streamed(CALLING, wire="openai-responses"), whole(PLAIN))
    result = run(folder, "--chat-model=langchain_openai:ChatOpenAI", "--cassette=a.yaml", "-k", "REPLAY-01")
    result.assert_outcomes(passed=6)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([REFERENCE, "--cassette=gone.yaml"], ["*ERROR: --cassette: */gone.yaml: No such file or directory"]),
        ([REFERENCE, "--cassette=broken.yaml"], ["*ERROR: --cassette: */broken.yaml, line 2: *"]),
        (
            [REFERENCE, "--cassette=broken.yaml", "--cassette=empty"],
            ["*ERROR: --cassette: */broken.yaml, line 2: *", "*--cassette: */empty: holds no cassettes *"],
        ),
        (["--cassette=broken.yaml"], ["*ERROR: --cassette goes with --chat-model"]),
    ],
)
def test_bad_cassettes(folder: pytest.Pytester, arguments: list[str], told: list[str]) -> None:
    """What is missing or broken is one usage error; nothing runs."""
    folder.path.joinpath("broken.yaml").write_text("interactions: [", encoding="utf-8")
    folder.mkdir("empty")
    result = run(folder, *arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(told)
    assert "Traceback" not in result.stdout.str() + result.stderr.str()
