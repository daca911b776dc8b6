"""What the command line says of exploring."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

from mockserver import WIRES, MockServerError
from mockserver.scripts.loader import load_script

from ..baseline import KIND, Baseline
from .exploring import ASKED, FOLDER, STEPS, USUAL, Exploring, Scripted

RULES: Final = ("EXPLORE-01", "EXPLORE-02")
_STEP: Final = re.compile(rf"({'|'.join(STEPS[:3])}) \d|{'|'.join(STEPS[3:])}")


def exploring(config: pytest.Config) -> Exploring:
    """How this run explores.

    Raises:
        pytest.UsageError: an option goes with another that is not there, or a script cannot be used.
    """
    folder = Path(config.invocation_params.dir)
    given, scripts = config.getoption("--explore"), config.getoption("--script")
    seconds = config.getoption("--explore-seconds")
    asks = given is not None or seconds is not None
    if given is not None and given < 1:
        raise pytest.UsageError(f"--explore={given}: at least one example is tried")
    if seconds is not None and seconds <= 0:
        raise pytest.UsageError(f"--explore-seconds={seconds:g}: a number above 0")
    if scripts and asks:
        raise pytest.UsageError("--script runs what is in files, and --explore what is generated: give one of them")
    if not asks and (config.getoption("--explore-seed") or config.getoption("--explore-folder") != FOLDER):
        raise pytest.UsageError("--explore-seed and --explore-folder go with --explore")
    shown = config.getoption("--explore-folder")
    return Exploring(
        examples=given or (10**9 if seconds is not None else ASKED if asks else USUAL),
        seconds=seconds,
        seed=config.getoption("--explore-seed"),
        chosen=asks or bool(scripts),
        folder=folder / shown if asks else None,
        shown=shown,
        scripts=tuple(_labelled(_scripted(folder, name) for name in scripts)),
    )


def known(baseline: Baseline, label: str) -> Mapping[str, Sequence[str]]:
    """The kinds of failures of a model that are passed over, by the names of items."""
    found: dict[str, list[str]] = {}
    for key in baseline.reasons:
        situation, colon, kind = key.case.partition(KIND)
        if colon and key.rule in RULES and key.model in ("", label):
            found.setdefault(f"{key.rule}-{situation}", []).append(kind)
    return found


def _scripted(folder: Path, name: str) -> Scripted:
    try:
        script = load_script(folder / name)
    except MockServerError as error:
        raise pytest.UsageError("\n".join(f"--script: {line}" for line in str(error).splitlines())) from None
    rule, actions = script.about.get("rule", RULES[0]), script.about.get("actions", [])
    if rule not in RULES:
        raise pytest.UsageError(f"--script={name}: about.rule is one of {', '.join(RULES)}, not {rule!r}")
    _check_steps(name, actions)
    if rule == RULES[1] and not actions:
        raise pytest.UsageError(
            f"--script={name}: about.actions is a list of steps such as 'next 0', and there is none"
        )
    wire = script.about.get("wire", "")
    if wire and wire not in WIRES:
        raise pytest.UsageError(f"--script={name}: about.wire is one of {', '.join(WIRES)}, not {wire!r}")
    usage_at = str(script.about.get("usage_at", ""))
    in_turn = bool(script.about.get("in_turn"))
    return Scripted(name, Path(name).stem, rule, wire, usage_at, in_turn, script.turns, tuple(actions))


def _check_steps(name: str, steps: Any) -> None:
    """Nothing where all steps are such as a consumer takes."""
    listed = steps if isinstance(steps, list) else [steps]
    wrong = [each for each in listed if not isinstance(each, str) or not _STEP.fullmatch(each)]
    if listed is not steps or wrong:
        shown = wrong[0] if wrong else steps
        raise pytest.UsageError(f"--script={name}: about.actions is a list of steps such as 'next 0', not {shown!r}")


def _labelled(scripts: Iterable[Scripted]) -> Sequence[Scripted]:
    """Scripts whose labels differ."""
    found: dict[str, Scripted] = {}
    for each in scripts:
        label, number = each.label, 1
        while label in found:
            number += 1
            label = f"{each.label}-{number}"
        found[label] = replace(each, label=label)
    return list(found.values())
