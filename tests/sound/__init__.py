"""Right models that differ from the reference, each in one way that is as right; no rule may blame them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from ..broken import _ANTHROPIC, _OPENAI, LOST, SOMETIMES


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundModel:
    """A model that keeps every rule that applies, but for what is known of a released one.

    Args:
        spec: as `--chat-model` takes it.
        what: what is as right as in the reference, in one sentence.
        kwargs: constructor arguments.
        lacks: capabilities that it does not claim.
        known: rules that a released package does not keep (docs/findings.md), and a SHOULD that a variation leaves out.
        perhaps: those that it does not keep in some runs.
        slow: whether the slow rules are tried on it too.
        released: whether it is a released package's.
    """

    spec: str
    what: str
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    lacks: tuple[str, ...] = ()
    known: frozenset[str] = frozenset()
    perhaps: frozenset[str] = frozenset()
    slow: bool = False
    released: bool = False


def _sound(name: str, what: str, *lacks: str, slow: bool = False) -> SoundModel:
    return SoundModel(spec=f"{__name__}.{name}", what=what, lacks=lacks, slow=slow)


def _wrapped(name: str, what: str, *known: str) -> SoundModel:
    """The reference in a wrapper of langchain-core, which does not close the stream in it (docs/findings.md)."""
    return SoundModel(spec=f"{__name__}.wrapped:{name}", what=what, known=frozenset(known))


def _released(spec: str, what: str, known: frozenset[str], *also: str, **kwargs: Any) -> SoundModel:
    always = (known - SOMETIMES).union(also)
    return SoundModel(spec=spec, what=what, kwargs=kwargs, known=always, perhaps=known & SOMETIMES, released=True)


_RESPONSES: Final = LOST | frozenset(
    ("ASYNC-03", "DEFAULT-05", "META-05", "SSE-11", "STATE-03", "STREAM-15", "TOOL-03", "TOOL-04", "TOOL-05", "TOOL-11")
)
"""What the released `ChatOpenAI` breaks on Responses."""

SOUND: Final = (
    SoundModel(spec="tests.broken.default:WholeChat", what="It does not stream."),
    SoundModel(spec="tests.broken.default:SyncChat", what="Its async methods are langchain-core's, in threads."),
    SoundModel(spec="tests.broken.default:WholeSyncChat", what="It has `_generate` alone."),
    _sound("chunks:MergesPieces", "It gives the pieces that arrive together in one chunk.", slow=True),
    _sound("chunks:EmptyChunks", "It gives an empty chunk before each chunk."),
    _sound("chunks:HalvesPieces", "It gives each piece of text in two chunks."),
    SoundModel(
        spec="tests.sound.chunks:GivesCallsWhole",
        what="It gives each call whole and without an index.",
        known=frozenset({"TOOL-12"}),
    ),
    _sound("chunks:NamesNoIds", "It leaves ids to langchain-core."),
    _sound("chunks:MakesItsIds", "It makes an id of its own for each call."),
    _sound("chunks:CountsInParts", "It counts the prompt and the answer in two chunks."),
    _sound("chunks:CountsWhereItFinishes", "It gives finish reason and usage in one chunk, the last."),
    _sound("chunks:CountsNothing", "It counts no tokens, and does not claim to.", "usage"),
    _sound("chunks:TellsMore", "It keeps more metadata, some of which is another for each call."),
    _sound("chunks:PausesBetweenChunks", "It lets other threads and tasks run before each chunk."),
    _sound("content:GivesLists", "Its content is a list of blocks, numbered by themselves."),
    _sound("content:ThinksInBlocks", "Its reasoning is a block of content, with an index that is a text."),
    _sound("content:GivesStandardBlocks", "Its content is standard blocks."),
    _sound("content:AnswersWithItsOwnClass", "Its messages and chunks are of classes of its own."),
    _sound("native:MakesItsEvents", "It makes content-block events itself."),
    _sound("content:GivesStandardBlocksInEvents", "It makes its events itself, and its content is standard blocks."),
    _sound("calls:StreamsInside", "It streams inside invoke."),
    _sound("calls:RaisesWhatIsFiltered", "It raises an error where the provider's filter cut an answer off."),
    _sound("calls:KeepsConnections", "It keeps its connections for the next call."),
    _sound("calls:LimitsEachChunk", "It waits for each chunk under a limit, with `asyncio.timeout`."),
    _sound("calls:ReadsInTasks", "It waits for each chunk in a task, and ends with it where it is cancelled."),
    SoundModel(
        spec="tests.sound.calls:Retries",
        what="It retries by itself after pauses of its own, and has a setting for it.",
        known=frozenset({"RETRY-03"}),
    ),
    _sound("calls:asks_another", "It asks another model, and is made by a factory."),
    _sound("calls:made_by_a_factory", "It is made by a factory."),
    _wrapped("bound", "It has arguments bound to it."),
    _wrapped("with_tools", "It has a tool bound to it."),
    _wrapped("with_retry", "It is asked again by langchain-core."),
    _wrapped("with_fallbacks", "It has another model to fall back on.", "DEFAULT-04", "TOOL-11", "TOOL-12"),
    _wrapped("with_fields", "It has a configurable field."),
    _wrapped("with_alternatives", "It has a configurable alternative."),
    _sound("wrapped:parrot", "It is an object with the methods of a chat model."),
    _sound("wrapped:owl", "It is an object that has `invoke` alone."),
    _released("langchain_openai:ChatOpenAI", "As released.", _OPENAI, "REPLAY-04"),
    _released("langchain_openai:ChatOpenAI", "As released, for Responses.", _RESPONSES, use_responses_api=True),
    _released("langchain_openai:ChatOpenAI", "With standard blocks.", _OPENAI, "REPLAY-04", output_version="v1"),
    _released("langchain_openai:AzureChatOpenAI", "As released.", _OPENAI, "REPLAY-04"),
    _released("langchain_anthropic:ChatAnthropic", "As released.", _ANTHROPIC),
    _released("langchain_anthropic:ChatAnthropic", "With standard blocks.", _ANTHROPIC, output_version="v1"),
)
