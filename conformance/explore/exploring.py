"""How a run explores: how much, from which seed, what it passes over. What generates is imported where it is needed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from mockserver import Turn

AREA: Final = "EXPLORE"
USUAL: Final = 6
"""Examples of each item in a run that is not asked to explore."""
ASKED: Final = 500
"""Examples of each item where ``--explore`` says no number."""
STEPS: Final = ("next", "finish", "close", "invoke", "fail", "retry", "cancel", "loop")
"""What a consumer may do; the first three are done to one of several streams."""
FOLDER: Final = "explored"
"""Where scripts of what is found are written, in the folder of the run."""


@dataclass(frozen=True, slots=True)
class Scripted:
    """An example from a file.

    Args:
        file: as it stands on the command line.
        label: name in node ids, unique in a run.
        rule: which rule it is tried by.
        wire: the wire that it was found on; the model's usual one where it is empty.
        usage_at: where streams count their tokens, as `Example` has it.
        in_turn: whether there are two turns, and one model is to be asked for both.
        turns: what is played, each for itself.
        actions: the steps of a consumer, where it is of those.
    """

    file: str
    label: str
    rule: str
    wire: str = ""
    usage_at: str = ""
    in_turn: bool = False
    turns: "tuple[Turn, ...]" = ()
    actions: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Exploring:
    """How much is tried.

    Args:
        examples: how many examples each item tries at most, those tried while shrinking not counted.
        seconds: how long each item takes at most, shrinking with it; no limit where it is `None`.
        seed: from which examples are drawn; the same ones each time.
        chosen: whether the user asked for it: the rules of EXPLORE are then all that runs.
        folder: where scripts of what is found are written; nowhere where it is `None`.
        shown: the folder as the command line shows it.
        known: the kinds of failures that are passed over, by the names of items.
        scripts: examples from files, which are tried in place of generated ones.
        progress: is told the item's name, how many examples were tried, and how many kinds of failures were found.
    """

    examples: int = USUAL
    seconds: float | None = None
    seed: int = 0
    chosen: bool = False
    folder: Path | None = None
    shown: str = FOLDER
    known: Mapping[str, Sequence[str]] = field(default_factory=dict)
    scripts: tuple[Scripted, ...] = ()
    progress: Callable[[str, int, int], object] = lambda name, tried, kinds: None

    @property
    def header(self) -> list[str]:
        """What the head of a run says; nothing where nobody asked for it."""
        if not self.chosen:
            return []
        if self.scripts:
            return [f"scripts: {', '.join(each.file for each in self.scripts)}"]
        for_long = f"{self.examples:,} examples" if self.seconds is None else f"{self.seconds:.3g} s"
        return [f"explore: {for_long} for each item, from seed {self.seed}"]
