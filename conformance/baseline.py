"""The baseline: a file of known failures, each with the reason why it is let stand.

A TOML file with a table for each item that fails::

    [[known]]
    rule = "STREAM-08"
    case = "async-repeated"      # form and case, as they stand in the item's name
    reason = "langchain-core glues repeated values: langchain-ai/langchain#38366"
    model = "ChatOpenAI"         # only where several models share the file
"""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import tomlkit
from tomlkit.exceptions import TOMLKitError

from .catalogue import rules

KEYS: Final = ("rule", "case", "reason", "model")
NEW: Final = "not looked into yet"
"""The reason that a new entry gets; it is for a person to write a better one."""
KIND: Final = ": "
"""Stands between the situation of an explored item and a kind of failure; other kinds still fail."""
_HEAD: Final = "Known failures of chat models; --conformance-update-baseline keeps the reasons."


class BaselineError(Exception):
    """A baseline that cannot be used; the text says what to change."""


@dataclass(frozen=True, slots=True)
class Key:
    """The item that an entry names. `model` is its label, or empty for all models."""

    rule: str
    case: str
    model: str = ""

    def names(self, other: "Key") -> bool:
        """Whether an entry with this key is about that item."""
        return (self.rule, self.case) == (other.rule, other.case) and self.model in ("", other.model)


def kind_of(situation: str, kind: str) -> str:
    """The `case` of an entry for a kind of failure that an explored item shows."""
    return f"{situation}{KIND}{kind}"


@dataclass(frozen=True)
class Baseline:
    """Known failures by the item that they are of.

    Args:
        file: where they stand.
        reasons: why each is let stand.
    """

    file: Path
    reasons: Mapping[Key, str] = field(default_factory=dict)

    def reason(self, item: Key) -> str | None:
        """Why the item may fail; `None` where it may not."""
        return next((reason for key, reason in self.reasons.items() if key.names(item)), None)


def load(file: Path) -> Baseline:
    """The baseline in a file.

    Raises:
        BaselineError: there is no such file, it is no TOML, or an entry is not right.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise BaselineError(f"{file}: there is no such file; --conformance-update-baseline writes it") from None
    except (OSError, UnicodeDecodeError) as error:
        raise BaselineError(f"{file}: cannot be read: {error}") from None
    return Baseline(file, _reasons(_parsed(text, file), file))


def _parsed(text: str, file: Path) -> tomlkit.TOMLDocument:
    try:
        return tomlkit.parse(text)
    except TOMLKitError as error:
        raise BaselineError(f"{file}: is no TOML: {error}") from None


def _reasons(document: Mapping[str, Any], file: Path) -> dict[Key, str]:
    entries = document.get("known", [])
    if unknown := [name for name in document if name != "known"]:
        raise BaselineError(f"{file}: unknown key {unknown[0]!r}; a baseline holds [[known]] tables alone")
    if not isinstance(entries, list) or not all(isinstance(each, dict) for each in entries):
        raise BaselineError(f"{file}: known is a list of tables, [[known]]")
    reasons: dict[Key, str] = {}
    for number, entry in enumerate(entries, 1):
        where = f"{file}: entry {number}"
        key = _key(entry, where)
        if key in reasons:
            raise BaselineError(f"{where}: {key.rule} {key.case} stands twice")
        reasons[key] = entry["reason"].strip()
    return reasons


def _key(entry: Mapping[str, Any], where: str) -> Key:
    for name, value in entry.items():
        if name not in KEYS:
            nearest = difflib.get_close_matches(name, KEYS, 1)
            hint = f"did you mean {nearest[0]!r}?" if nearest else f"known here: {', '.join(KEYS)}"
            raise BaselineError(f"{where}: unknown key {name!r}; {hint}")
        if not isinstance(value, str) or not value.strip():
            raise BaselineError(f"{where}: {name} is a text, not {value!r}")
    if missing := [name for name in ("rule", "case", "reason") if name not in entry]:
        raise BaselineError(f"{where}: {missing[0]} is missing")
    rule = entry["rule"]
    if rule not in rules():
        nearest = difflib.get_close_matches(rule, list(rules()), 1)
        hint = f"; did you mean {nearest[0]}?" if nearest else ""
        raise BaselineError(f"{where}: there is no rule {rule}{hint}")
    return Key(str(rule), str(entry["case"]), str(entry.get("model", "")))


@dataclass(frozen=True)
class Change:
    """What an update did to a baseline: numbers of entries."""

    added: int
    kept: int
    removed: int


def update(file: Path, failed: Sequence[Key], held: Sequence[Key], *, name_models: bool) -> Change:
    """Write a baseline: entries of items that failed stay or are added, those of items that hold go.

    Entries of items that did not run stay. Reasons, comments and order stay too.

    Args:
        file: to be written; made where it is not there.
        failed: items that fail.
        held: items that hold.
        name_models: whether new entries name their models.

    Raises:
        BaselineError: what stands in the file is not right, or it cannot be written.
    """
    document = _parsed(file.read_text(encoding="utf-8"), file) if file.exists() else tomlkit.document()
    known = list(_reasons(document, file))
    if not document:
        document.add(tomlkit.comment(_HEAD)).add(tomlkit.nl())
    tables = document.setdefault("known", tomlkit.aot())
    gone = {at for at, key in enumerate(known) if any(key.names(each) for each in held)}
    gone -= {at for at, key in enumerate(known) if any(key.names(each) for each in failed)}
    for at in sorted(gone, reverse=True):
        del tables[at]
    new = [each for each in failed if not any(key.names(each) for key in known)]
    for each in new:
        told = {"rule": each.rule, "case": each.case, "reason": NEW, **({"model": each.model} if name_models else {})}
        tables.append(tomlkit.item(told))
    try:
        file.write_text(tomlkit.dumps(document), encoding="utf-8")
    except OSError as error:
        raise BaselineError(f"{file}: cannot be written: {error}") from None
    return Change(added=len(new), kept=len(known) - len(gone), removed=len(gone))
