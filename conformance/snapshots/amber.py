"""Transcripts in files of syrupy's Amber format, one a model. What is syrupy's is here."""

import re
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from syrupy.data import Snapshot, SnapshotCollection
from syrupy.extensions.amber import AmberDataSerializer

from ..target import Target

FOLDER: Final = "__transcripts__"
"""Below pytest's root folder; apart from `__snapshots__`, where syrupy takes what no test of its own uses for stale."""


def file_of(target: Target, root: Path) -> Path:
    """The file for a model; constructor arguments of the user's make another model of it."""
    told = "-".join([target.label, *(f"{name}={value}" for name, value in target.extra.items())])
    readable = re.sub(r"[^\w.=+-]+", "_", told)[:100]
    digest = f"-{sha256(told.encode()).hexdigest()[:6]}" if readable != told else ""
    return root / FOLDER / f"{readable}{digest}.ambr"


def kept(file: Path) -> dict[str, str]:
    """The texts in a file by their names; none where it is not there."""
    return {snapshot.name: str(snapshot.data) for snapshot in AmberDataSerializer.read_file(str(file))}


def keep(file: Path, texts: Mapping[str, str]) -> None:
    """Write the file anew."""
    found = SnapshotCollection(location=str(file))
    for name, text in texts.items():
        found.add(Snapshot(name=name, data=text))
    file.parent.mkdir(parents=True, exist_ok=True)
    AmberDataSerializer.write_file(found)


def updates(options: Any) -> tuple[bool, bool] | None:
    """Whether all is renewed, and whether at least what is missing is written, by syrupy's options.

    `None` where its plugin is not loaded.
    """
    if not hasattr(options, "update_snapshots"):
        return None
    everything = bool(options.update_snapshots)
    return everything, everything or bool(getattr(options, "update_new_snapshots_only", False))
