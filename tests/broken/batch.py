"""Models that break one rule of BATCH each."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any

from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableConfig

from ..reference import ReferenceChat

# What overrides of `batch` and the like take; their signature in langchain-core is longer and says no more here.
_Config = RunnableConfig | list[RunnableConfig] | None


class CountsNothingInBatches(ReferenceChat):
    """Gives the answers of a batch without their usage."""

    def batch(self, *args: Any, **kwargs: Any) -> list[AIMessage]:
        answers = super().batch(*args, **kwargs)
        for answer in answers:
            if isinstance(answer, AIMessage):
                answer.usage_metadata = None
        return answers


class LastInFirstOut(ReferenceChat):
    """Takes inputs from a stack, and so gives the last answer first."""

    async def abatch(self, *args: Any, **kwargs: Any) -> list[AIMessage]:
        return (await super().abatch(*args, **kwargs))[::-1]


class NeedsAnInput(ReferenceChat):
    """Raises where a batch is empty."""

    def batch(self, inputs: Sequence[Any], *args: Any, **kwargs: Any) -> list[AIMessage]:
        return super().batch([inputs[0], *inputs[1:]], *args, **kwargs)


class RunsThreeAtATime(ReferenceChat):
    """Has a pool of three for its batches, whatever is asked for."""

    def batch(self, inputs: Any, config: _Config = None, **kwargs: Any) -> list[AIMessage]:
        return super().batch(inputs, config or {"max_concurrency": 3}, **kwargs)


class KnowsNoLimit(ReferenceChat):
    """Does not pass max_concurrency on."""

    async def abatch(self, inputs: Any, config: Any = None, **kwargs: Any) -> list[AIMessage]:
        unlimited: Any = {**config, "max_concurrency": None} if isinstance(config, dict) else config
        return await super().abatch(inputs, unlimited, **kwargs)


class RaisesInAnyCase(ReferenceChat):
    """Takes return_exceptions and does nothing with it."""

    def batch(self, inputs: Any, config: Any = None, *, return_exceptions: bool = False, **kwargs: Any) -> list[Any]:
        return super().batch(inputs, config, **kwargs)


class LeavesFailuresOut(ReferenceChat):
    """Leaves failures out of the results."""

    async def abatch(self, *args: Any, **kwargs: Any) -> list[Any]:
        return [each for each in await super().abatch(*args, **kwargs) if not isinstance(each, Exception)]


class ReturnsFailures(ReferenceChat):
    """Returns failures in any case."""

    def batch(self, inputs: Any, config: Any = None, *, return_exceptions: bool = False, **kwargs: Any) -> list[Any]:
        return super().batch(inputs, config, return_exceptions=True, **kwargs)


class WrapsFailures(ReferenceChat):
    """Raises an error of another type where an input of a batch fails."""

    async def abatch(self, inputs: Any, config: Any = None, **kwargs: Any) -> list[Any]:
        try:
            return await super().abatch(inputs, config, **kwargs)
        except Exception as error:
            raise RuntimeError("a batch failed") from error


class CompletesAllAtOnce(ReferenceChat):
    """Waits for all results before it gives the first as completed."""

    def batch_as_completed(self, *args: Any, **kwargs: Any) -> Iterator[Any]:
        yield from enumerate(self.batch(*args, **kwargs))


class TakesTheFirstConfig(ReferenceChat):
    """Applies the first config of a list to all inputs."""

    def batch(self, inputs: Any, config: _Config = None, **kwargs: Any) -> list[AIMessage]:
        return super().batch(inputs, config[0] if isinstance(config, list) else config, **kwargs)


class ShieldsItsBatches(ReferenceChat):
    """Lets the requests of a batch go on when it is cancelled."""

    async def abatch(self, *args: Any, **kwargs: Any) -> list[AIMessage]:
        return await asyncio.shield(super().abatch(*args, **kwargs))


class DropsArguments(ReferenceChat):
    """Takes keyword arguments for a batch and does not pass them on."""

    def batch(self, inputs: Any, config: Any = None, *, return_exceptions: bool = False, **kwargs: Any) -> list[Any]:
        return super().batch(inputs, config, return_exceptions=return_exceptions)
