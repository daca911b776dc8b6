"""Chat models whose defects no written rule names, and by what exploring must find each."""

from dataclasses import dataclass
from typing import Final

from .. import _ANTHROPIC


@dataclass(frozen=True, slots=True)
class Planted:
    """A model with a defect in what it makes of an answer.

    Args:
        name: module in this package and class, ``text:DropsNone``.
        facet: what of the answer the defect spoils, as `Difference.facet` has it.
        pieces: how many pieces the smallest reply that shows it may have.
        delivery: what the smallest example may tell beside the reply: how it is sent, and after what; `""` for nothing.
        known: rules that the class which it inherits from does not keep itself.
    """

    name: str
    facet: str
    pieces: int
    delivery: str = ""
    known: frozenset[str] = frozenset()

    @property
    def spec(self) -> str:
        """As `--chat-model` takes it."""
        return f"{__name__}.{self.name}"


@dataclass(frozen=True, slots=True)
class Misled:
    """A model that breaks by what its consumer does.

    Args:
        name: module in this package and class.
        invariant: what does not hold then, as `Misstep.invariant` has it; several with ``; `` between them.
        actions: how many steps the shortest sequence that shows it may have.
        is_async: whether the defect is in the async methods.
    """

    name: str
    invariant: str
    actions: int
    is_async: bool = False

    @property
    def spec(self) -> str:
        """As `--chat-model` takes it."""
        return f"{__name__}.{self.name}"


PLANTED: Final = (
    Planted("text:LosesLinesAfterCalls", "text", 2),
    Planted("text:LosesMarksAtCuts", "text", 1),
    Planted("text:DropsNamesOfTools", "text", 2),
    Planted("text:DropsNone", "text", 1),
    Planted("text:DropsEchoesOfThoughts", "text", 2),
    Planted("text:EmptiesWhiteSpace", "text", 1),
    Planted("text:LosesCountsBeforeText", "usage", 0, "usage before-finish"),
    Planted("text:CountsNothingWhereNothingIsSaid", "usage", 0),
    Planted("thoughts:AnthropicKeepsTheLastThought", "reasoning", 3, known=_ANTHROPIC),
    Planted("thoughts:AnthropicEndsCallsAtEmptyThoughts", "calls", 2, known=_ANTHROPIC),
    Planted("calls:EndsAtDoneInArguments", "finish reason", 1),
    Planted("calls:EndsCallsAtEmptyPieces", "calls", 2, "an empty frame"),
    Planted("calls:RemembersCalls", "calls", 1, "after tool call in 1 piece, finish 'tool_calls'"),
    Planted("calls:DropsLowHalves", "calls", 2),
    Planted("calls:DropsCallsWithoutArguments", "calls", 2),
    Planted("calls:KeepsTwoCallsOpen", "calls", 5),
    Planted("calls:UnwrapsArguments", "calls", 1),
)

MISLED: Final = (
    Misled("actions:SharesSlots", "a stream gives its own answer", 5, is_async=True),
    Misled("actions:EndsAllStreamsWithOne", "a stream gives its own answer; pieces arrive", 4),
    Misled("actions:TellsAllHandlers", "callbacks tell of a run", 3),
    Misled("actions:LosesItsConnectionWhenCancelled", "answers", 3, is_async=True),
    Misled("actions:RaisesAgain", "answers", 3),
)
