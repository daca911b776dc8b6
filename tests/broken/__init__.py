"""Chat models that break one rule each, and what else each of them breaks thereby."""

from dataclasses import dataclass, field
from typing import Final

_OPENAI: Final = frozenset({"ASYNC-03", "STREAM-08"})
"""What the released `ChatOpenAI` breaks itself."""
_ANTHROPIC: Final = frozenset({"ASYNC-03", "STREAM-08", "STREAM-15"})
"""What the released `ChatAnthropic` breaks itself."""


@dataclass(frozen=True, slots=True)
class BrokenModel:
    """A model that breaks a rule.

    Args:
        name: module in this package and class, ``invoke:StripsText``.
        rule: the rule that it must break.
        also: other rules that its defect breaks.
        perhaps: rules that its defect breaks in some runs, because threads race for it.
    """

    name: str
    rule: str
    also: frozenset[str] = field(default=frozenset())
    perhaps: frozenset[str] = field(default=frozenset())

    @property
    def spec(self) -> str:
        """As `--chat-model` takes it."""
        return f"{__name__}.{self.name}"


def _broken(name: str, rule: str, *also: str, known: frozenset[str] = frozenset(), perhaps: str = "") -> BrokenModel:
    return BrokenModel(name, rule, known.union(also), frozenset(perhaps.split()))


BROKEN: Final = (
    _broken("invoke:StripsText", "INVOKE-01"),
    _broken("invoke:OpenAIStripsText", "INVOKE-01", known=_OPENAI),
    _broken("invoke:SplitsLines", "INVOKE-01"),
    _broken("invoke:RemovesSpecialTokens", "INVOKE-01"),
    _broken("invoke:CountsInSyncAlone", "INVOKE-02"),
    _broken("invoke:LosesCallsInAsync", "INVOKE-02", "STREAM-06"),
    _broken("invoke:RenamesLength", "INVOKE-03"),
    _broken("invoke:LosesFinishReason", "INVOKE-03", "INVOKE-08", "INVOKE-09", "STREAM-06"),
    _broken("invoke:NamesTheModelAskedFor", "INVOKE-04"),
    _broken("invoke:OneIdForAllAnswers", "INVOKE-05"),
    _broken("invoke:SaysNone", "INVOKE-06", "STREAM-06"),
    _broken("invoke:InstructsStrings", "INVOKE-07"),
    _broken("invoke:AsksTwice", "INVOKE-08", "ASYNC-03", "BATCH-09"),
    _broken("invoke:CountsNothingWhereItStreamsInside", "INVOKE-08"),
    _broken("invoke:DropsRefusals", "INVOKE-09"),
    _broken("invoke:EmptiesFilteredAnswers", "INVOKE-09"),
    _broken("stream:MixesKindsOfChunks", "STREAM-01", "STREAM-07", "INVOKE-08"),
    _broken("stream:DropsWhiteSpace", "STREAM-02"),
    _broken("stream:OpenAIStripsPieces", "STREAM-02", known=_OPENAI),
    _broken("stream:AnthropicStripsPieces", "STREAM-02", known=_ANTHROPIC),
    _broken("stream:CutsAtAllLineEnds", "STREAM-02"),
    _broken("stream:SkipsRepeats", "STREAM-02"),
    _broken("stream:EndsAtDoneInTheText", "STREAM-02"),
    _broken("stream:LooksOneAhead", "STREAM-03", "STREAM-04"),
    _broken("stream:GivesPiecesInPairs", "STREAM-04"),
    _broken("stream:NewIdForEachChunk", "STREAM-05", "EVENTS-05"),
    _broken("stream:OneIdForAllStreams", "STREAM-05"),
    _broken("stream:SkipsFramesWithoutChoices", "STREAM-06", "INVOKE-08"),
    _broken("stream:KnowsNoLength", "STREAM-06"),
    _broken("stream:ForgetsWhichCall", "STREAM-06"),
    _broken("stream:AddsInPlace", "STREAM-07"),
    _broken("stream:TellsTheTierOnEachChunk", "STREAM-08"),
    _broken("stream:FinishesOnEachFrame", "STREAM-08", "STREAM-06", "STREAM-14", "INVOKE-08"),
    _broken("stream:RepeatsWhatIsRepeated", "STREAM-08"),
    _broken("stream:MarksTheFinishAsLast", "STREAM-09"),
    _broken("stream_frames:NeedsADelta", "STREAM-10"),
    _broken("stream_frames:NeedsAChoice", "STREAM-10"),
    _broken("stream_frames:KnowsAllFields", "STREAM-10"),
    _broken("stream_frames:FailsAtEmptyContent", "STREAM-10", "STREAM-08"),
    _broken("stream_frames:NullIsText", "STREAM-10"),
    _broken("stream_frames:RolesBeginAnswers", "STREAM-10"),
    _broken("stream_frames:NeedsDataInEachLine", "STREAM-10"),
    _broken("stream_state:SharesARecord", "STREAM-11"),
    _broken("stream_state:FillsInUsageLater", "STREAM-11", "EVENTS-12"),
    _broken("stream_state:StartsAgain", "STREAM-12"),
    _broken("stream_state:ClosesOnce", "STREAM-12"),
    _broken("stream_state:RaisesAgain", "STREAM-12"),
    _broken("stream_state:GivesUpAfterAFailure", "STREAM-13"),
    _broken("stream_state:ClosesItselfWithItsStream", "STREAM-13"),
    _broken("stream_state:FinishesOnce", "STREAM-14"),
    _broken("stream_state:KeepsTextOnTheInstance", "STREAM-14"),
    _broken("stream_state:ReadsOn", "STREAM-15"),
    _broken("stream_size:CutsLargePieces", "STREAM-16"),
    _broken("stream_size:CountsAllTextAgain", "STREAM-16"),
    _broken("stream_size:ReadsAhead", "STREAM-17"),
    _broken("stream_state:RaisesAnything", "STREAM-18"),
    _broken("stream_state:MakesUpText", "STREAM-18"),
    _broken("asynchronous:OpensStreamsOnTheLoop", "ASYNC-01", "ASYNC-02", "EVENTS-10", perhaps="ASYNC-04"),
    _broken("asynchronous:StreamsOneByOne", "ASYNC-02"),
    _broken("asynchronous:KeepsItsClient", "ASYNC-03"),
    _broken("asynchronous:LosesTheContext", "ASYNC-04"),
    _broken("asynchronous:LeavesConnectionsOpen", "ASYNC-05"),
    _broken("asynchronous:LeavesThreads", "ASYNC-05"),
    _broken("asynchronous:LeavesTasks", "ASYNC-05"),
    _broken("asynchronous:RunsALoopOfItsOwn", "ASYNC-06"),
    _broken("batch:CountsNothingInBatches", "BATCH-01"),
    _broken("batch:LastInFirstOut", "BATCH-01", "BATCH-03", "BATCH-04", "BATCH-07"),
    _broken("batch:NeedsAnInput", "BATCH-02"),
    _broken("batch:RunsThreeAtATime", "BATCH-03"),
    _broken("batch:KnowsNoLimit", "BATCH-03"),
    _broken("batch:RaisesInAnyCase", "BATCH-04"),
    _broken("batch:LeavesFailuresOut", "BATCH-04"),
    _broken("batch:ReturnsFailures", "BATCH-05"),
    _broken("batch:WrapsFailures", "BATCH-05"),
    _broken("batch:CompletesAllAtOnce", "BATCH-06"),
    _broken("batch:TakesTheFirstConfig", "BATCH-07"),
    _broken("batch:ShieldsItsBatches", "BATCH-08"),
    _broken("batch:DropsArguments", "BATCH-09"),
    _broken("events:EndsTwice", "EVENTS-01"),
    _broken("events:KeepsItsName", "EVENTS-02", "EVENTS-08"),
    _broken("events:SaysWhoProvides", "EVENTS-03"),
    _broken("events:InstructsItself", "EVENTS-04"),
    _broken("events:InventsARunId", "EVENTS-05"),
    _broken("events:MergesTextAlone", "EVENTS-06", "EVENTS-12", "INVOKE-08"),
    _broken("events:LosesItsParent", "EVENTS-07"),
    _broken("events:LosesTags", "EVENTS-08"),
    _broken("events:SwallowsErrors", "EVENTS-09"),
    _broken("events:ReadsInATask", "EVENTS-10"),
    _broken("events:StreamsWhenToldAlone", "EVENTS-11"),
    _broken("events:GivesWords", "EVENTS-12"),
    _broken("default:PretendsToStream", "DEFAULT-01"),
    _broken("default:AlwaysStreams", "DEFAULT-01"),
    _broken("default:OpensStreamsOnTheLoop", "DEFAULT-02", "ASYNC-01", "ASYNC-02", perhaps="ASYNC-04"),
    _broken("replay:CountsReasoningTwice", "REPLAY-01"),
    _broken("replay:ThinksAloud", "REPLAY-01", "REPLAY-04"),
    _broken("replay:EndsWhereTheConnectionDoes", "REPLAY-01", "STREAM-12", "STREAM-13", "EVENTS-09"),
    _broken("replay:ForgetsReasoningInAsync", "REPLAY-02"),
    _broken("replay:DecodesEachSegment", "REPLAY-03"),
    _broken("replay:TakesSegmentsForEvents", "REPLAY-03"),
    _broken("replay:DropsReasoning", "REPLAY-04"),
)
