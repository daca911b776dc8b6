"""The examples for CI: what they run exists, and does what they say."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from conformance.catalogue import rules
from mockserver import cli

from .made_reports import document, judged, model
from .test_readme import blocks_of

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
CI = DOCS / "ci"
BINARIES = Path(sys.executable).parent
ACTION = "OWNER/chat-model-conformance/docs/ci/action@REF"
STUB = '#!/bin/sh\n{ printf "%s\\n" "${0##*/}" "$@"; echo; } >> "$CALLS"\n'
"""A command that notes how it was called."""


def example(name: str) -> Any:
    return yaml.safe_load((CI / name).read_text(encoding="utf-8"))


def action_step(name: str) -> dict[str, Any]:
    [found] = [step for step in example("action/action.yml")["runs"]["steps"] if step.get("name") == name]
    return dict(found)


def job_step(job: str) -> dict[str, Any]:
    """The step of a job of package.yml that bears the job's name."""
    [found] = [step for step in example("package.yml")["jobs"][job]["steps"] if step.get("name") == job]
    return dict(found)


class Shell:
    """Runs shell steps as GitHub does, in a folder of its own, with stubs for what would reach out."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._calls = folder / "calls"
        self._stubs = folder / "stubs"
        self._stubs.mkdir()
        self.summary = folder / "summary.md"
        self.output = folder / "output"

    def stub(self, name: str, then: str = "") -> None:
        """Put a command in the place of the real one; `then` is shell text that it goes on with."""
        file = self._stubs / name
        file.write_text(STUB + then, encoding="utf-8")
        file.chmod(0o755)

    def run(self, text: str, **env: str) -> subprocess.CompletedProcess[str]:
        given = {
            **os.environ,
            "PATH": f"{self._stubs}:{BINARIES}:{os.environ['PATH']}",
            "CALLS": str(self._calls),
            "GITHUB_STEP_SUMMARY": str(self.summary),
            "GITHUB_OUTPUT": str(self.output),
            **env,
        }
        command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", text]
        return subprocess.run(
            command, cwd=self.folder, env=given, capture_output=True, text=True, check=False, timeout=120
        )

    @property
    def calls(self) -> list[list[str]]:
        """What the stubs were called with, their names first."""
        text = self._calls.read_text(encoding="utf-8") if self._calls.exists() else ""
        return [call.split("\n") for call in text.split("\n\n") if call]


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


JUDGING = dict.fromkeys(("KWARGS", "SELECT", "BASELINE", "REVISION"), "")


@pytest.mark.parametrize("name", ["action/action.yml", "package.yml", "gitlab.yml", "pre-commit.yaml"])
def test_example_is_explained(name: str) -> None:
    """Each is YAML, begins with what it is for, and is linked from the page."""
    text = (CI / name).read_text(encoding="utf-8")
    assert isinstance(yaml.safe_load(text), dict)
    assert text.startswith("# ")
    assert f"(ci/{name})" in (DOCS / "ci.md").read_text(encoding="utf-8")


def test_actions_are_pinned_alike() -> None:
    """All examples take the actions in the major versions that the workflow of the matrix takes."""
    pinned = {
        name: set(re.findall(r"uses: (\S+)", (CI / name).read_text(encoding="utf-8")))
        for name in ("matrix.yml", "package.yml", "action/action.yml")
    }
    assert pinned["package.yml"] | pinned["action/action.yml"] <= pinned["matrix.yml"] | {ACTION}


def test_inputs_are_declared_used_and_told() -> None:
    """The action's inputs are those that its steps use, that the workflow gives and that the page lists."""
    text = (CI / "action" / "action.yml").read_text(encoding="utf-8")
    declared = set(yaml.safe_load(text)["inputs"])
    assert set(re.findall(r"inputs\.([\w-]+)", text)) == declared
    page = (DOCS / "ci.md").read_text(encoding="utf-8")
    shown = yaml.safe_load(next(block for language, block in blocks_of(page) if language == "yaml"))
    [used] = [step["with"] for step in example("package.yml")["jobs"]["judge"]["steps"] if step.get("uses") == ACTION]
    assert {*used, *(key for step in shown for key in step.get("with", ()))} <= declared
    table = page[page.index("| input |") : page.index("The output `status`")]
    assert {
        name for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE) for name in re.findall(r"`(.+?)`", row)
    } == (declared)


def shell_steps() -> Iterator[tuple[str, dict[str, Any], set[str]]]:
    """Each shell step, with the variables that are set around it."""
    for step in example("action/action.yml")["runs"]["steps"]:
        if "run" in step:
            assert step["shell"] == "bash"
            yield f"action {step['name']}", step, set()
    workflow = example("package.yml")
    for name, job in workflow["jobs"].items():
        for number, step in enumerate(job["steps"]):
            if "run" in step:
                yield f"{name} {number}", step, set(workflow["env"])


@pytest.mark.parametrize(("step", "around"), [pytest.param(step, env, id=id) for id, step, env in shell_steps()])
def test_variables_of_steps_are_set(step: dict[str, Any], around: set[str]) -> None:
    """A step reads what is given to it or what GitHub sets, and takes no expression into its text."""
    read = set(re.findall(r"\$\{?([A-Z][A-Z_]*)", step["run"]))
    assert {name for name in read if not name.startswith("GITHUB_")} <= {*step.get("env", ()), *around}
    assert "${{" not in step["run"]


def test_outputs_come_from_steps() -> None:
    """The action's output is written by the step that it names."""
    value = example("action/action.yml")["outputs"]["status"]["value"]
    assert value == "${{ steps.judge.outputs.status }}"
    assert action_step("judge")["id"] == "judge"


@pytest.mark.parametrize(
    ("package", "version", "installed"),
    [("", "", []), (".", "", ["."]), ("langchain-mine", "1.2.0", ["langchain-mine==1.2.0"])],
)
def test_the_action_installs_what_is_named(shell: Shell, package: str, version: str, installed: list[str]) -> None:
    """The package in its release, and the suite of the same commit."""
    shell.stub("python")
    here = {"GITHUB_ACTION_PATH": str(CI / "action")}
    result = shell.run(action_step("install")["run"], SUITE="", PACKAGE=package, VERSION=version, **here)
    assert result.returncode == 0, result.stderr
    [[*command, suite]] = [call[: len(call) - len(installed)] for call in shell.calls]
    assert command == ["python", "-m", "pip", "install"]
    assert Path(suite).resolve() == ROOT
    assert shell.calls[0][5:] == installed


def test_the_action_judges(shell: Shell) -> None:
    """Its step leaves the four reports and the status, and the summary is the Markdown."""
    given = {**JUDGING, "MODEL": "langchain_openai:ChatOpenAI", "SELECT": "INVOKE-01", "REPORTS": "out/reports"}
    result = shell.run(action_step("judge")["run"], **given)
    assert result.returncode == 0, result.stdout + result.stderr
    assert shell.output.read_text(encoding="utf-8") == "status=0\n"
    made = {file.name for file in (shell.folder / "out" / "reports").iterdir()}
    assert made == {"report.json", "report.html", "report.md", "report.badge.json"}
    shell.run(action_step("summary")["run"], REPORTS="out/reports")
    assert "ChatOpenAI" in shell.summary.read_text(encoding="utf-8")


def test_the_action_passes_its_inputs_on(shell: Shell, pytester: pytest.Pytester) -> None:
    """As options that pytest takes; and its status is pytest's."""
    shell.stub("pytest", "exit 1\n")
    given = {
        "KWARGS": '{"temperature": 0}',
        "SELECT": "TOOL,STREAM-08",
        "BASELINE": "known/head.toml",
        "REVISION": "2026.1",
        "MODEL": "langchain_mine:ChatMine",
        "REPORTS": "my reports",
    }
    assert shell.run(action_step("judge")["run"], **given).returncode == 1
    assert shell.output.read_text(encoding="utf-8") == "status=1\n"
    [[_, *arguments]] = shell.calls
    config = pytester.parseconfig(*arguments)
    assert config.getoption("--chat-model") == ["langchain_mine:ChatMine"]
    assert config.getoption("--chat-model-kwargs") == given["KWARGS"]
    assert config.getoption("--conformance-select") == ["TOOL,STREAM-08"]
    assert config.getoption("--conformance-baseline") == "known/head.toml"
    assert config.getoption("--conformance-report")[0] == "my reports/report.json"


def test_the_action_wants_a_model(shell: Shell) -> None:
    """GitHub does not see to it that inputs which are required are given."""
    result = shell.run(action_step("judge")["run"], **JUDGING, MODEL="", REPORTS="reports")
    assert result.returncode != 0
    assert "the input model is missing" in result.stderr


def test_a_summary_without_reports_is_none(shell: Shell) -> None:
    """Where nothing could be installed, the summary does not hide it behind an error of its own."""
    assert shell.run(action_step("summary")["run"], REPORTS="reports").returncode == 0
    assert not shell.summary.exists()


def test_jobs_hand_on_what_the_next_needs() -> None:
    """The report that is compared and told by the badge is one that a job of the matrix uploads."""
    workflow = example("package.yml")
    judge = workflow["jobs"]["judge"]
    [used] = [step["with"] for step in judge["steps"] if step.get("uses") == ACTION]
    names = {
        used["artifact"].replace("${{ matrix.release }}", release).replace("${{ matrix.python }}", python)
        for release in judge["strategy"]["matrix"]["release"]
        for python in judge["strategy"]["matrix"]["python"]
    }
    assert workflow["env"]["ARTIFACT"] in names
    assert used["revision"] in {rule.since for rule in rules().values()}


def put(folder: Path, verdict: str) -> None:
    """A report of which the one item, a MUST, has this verdict."""
    folder.mkdir()
    text = json.dumps(document(model(judged("STREAM-08-sync-plain", verdict))))
    (folder / "report.json").write_text(text, encoding="utf-8")


@pytest.mark.parametrize(("now", "status"), [("failed", 1), ("passed", 0)])
def test_pull_requests_are_compared_with_the_last_report(shell: Shell, now: str, status: int) -> None:
    """With that of the newest run that has one; the summary tells what changed, and the step fails for a MUST."""
    put(shell.folder / "kept", "passed")
    put(shell.folder / "new", now)
    shell.stub("gh", '[ "$2" = list ] && { echo 3; echo 2; exit; }\n[ "$3" = 2 ] && cp -r kept old\n')
    env = {"ARTIFACT": "conformance-head-3.12", "GITHUB_REPOSITORY": "you/mine", "GITHUB_WORKFLOW": "conformance"}
    result = shell.run(job_step("compare")["run"], GITHUB_BASE_REF="main", **env)
    assert result.returncode == status, result.stderr
    assert [call[1:4] for call in shell.calls] == [
        ["run", "list", "--repo"],
        ["run", "download", "3"],
        ["run", "download", "2"],
    ]
    assert ("STREAM-08" in shell.summary.read_text(encoding="utf-8")) == (status == 1)


def test_the_first_pull_request_has_nothing_to_be_compared_with(shell: Shell) -> None:
    """It is said, and fails nothing."""
    shell.stub("gh")
    env = {"ARTIFACT": "conformance-head-3.12", "GITHUB_REPOSITORY": "you/mine", "GITHUB_WORKFLOW": "conformance"}
    assert shell.run(job_step("compare")["run"], GITHUB_BASE_REF="main", **env).returncode == 0
    assert shell.summary.read_text(encoding="utf-8") == "No report of main to compare with.\n"


@pytest.mark.skipif(not shutil.which("git"), reason="git is not installed")
def test_the_badge_replaces_the_one_before(shell: Shell) -> None:
    """The branch has one commit with one file, however often it is written."""
    (shell.folder / "new").mkdir()
    remote = str(shell.folder / "remote.git")
    subprocess.run(["git", "init", "-q", "--bare", remote], check=True)
    for message in ("before", "now"):
        shutil.rmtree(shell.folder / "badges", ignore_errors=True)
        (shell.folder / "new" / "report.badge.json").write_text(message, encoding="utf-8")
        result = shell.run(job_step("badge")["run"], REMOTE=remote)
        assert result.returncode == 0, result.stderr
    asked = [
        subprocess.run(["git", "-C", remote, *command], check=True, capture_output=True, text=True).stdout
        for command in (["rev-list", "--count", "badges"], ["show", "badges:report.badge.json"])
    ]
    assert asked == ["1\n", "now"]


def test_gitlab_runs_what_exists(shell: Shell, pytester: pytest.Pytester) -> None:
    """Its lines run, pytest takes the options, and the artifacts are what they write."""
    job = example("gitlab.yml")["conformance"]
    for name in ("pip", "pytest"):
        shell.stub(name)
    result = shell.run("\n".join(job["script"]), **job["variables"])
    assert result.returncode == 0, result.stderr
    [installed, [_, *arguments]] = shell.calls
    assert installed == ["pip", "install", ".", job["variables"]["SUITE"]]
    config = pytester.parseconfig(*arguments)
    assert config.getoption("--chat-model") == [job["variables"]["MODEL"]]
    assert config.getoption("xmlpath") == job["artifacts"]["reports"]["junit"]
    written = [*config.getoption("--conformance-report"), config.getoption("xmlpath")]
    assert all(file.startswith(job["artifacts"]["paths"][0]) for file in written)


def test_the_hook_reads_what_is_committed(capsys: pytest.CaptureFixture[str]) -> None:
    """It chooses scripts and cassettes, and its command reads them."""
    [repository] = example("pre-commit.yaml")["repos"]
    [hook] = repository["hooks"]
    files = sorted((ROOT / "cassettes" / "anthropic").glob("goldfish-*.yaml"))
    assert files
    assert all(re.search(hook["files"], str(file.relative_to(ROOT))) for file in files)
    assert not re.search(hook["files"], ".github/workflows/conformance.yml")
    program, *arguments = shlex.split(hook["entry"])
    assert program == "mockserver"
    assert cli.main([*arguments, *map(str, files)]) == 0
    assert capsys.readouterr().out == "3 of 3 files are sound\n"
