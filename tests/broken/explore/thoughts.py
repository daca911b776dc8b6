"""Models that lose what stands around reasoning, on top of the released class."""

from typing import Any

from langchain_anthropic import ChatAnthropic
from langchain_core.outputs import ChatResult


class AnthropicKeepsTheLastThought(ChatAnthropic):
    """Keeps of a whole answer with calls the reasoning after the last call alone, where there is some."""

    def _format_output(self, data: Any, **kwargs: Any) -> ChatResult:
        kinds = [block.type for block in data.content]
        last = max((at for at, kind in enumerate(kinds) if kind == "tool_use"), default=0)
        if "thinking" in kinds[last:] and "tool_use" in kinds:
            later = [block for at, block in enumerate(data.content) if at > last or block.type != "thinking"]
            data = data.model_copy(update={"content": later})
        return super()._format_output(data, **kwargs)


class AnthropicEndsCallsAtEmptyThoughts(ChatAnthropic):
    """Leaves out of a whole answer the calls that follow reasoning without text."""

    def _format_output(self, data: Any, **kwargs: Any) -> ChatResult:
        empty = [at for at, block in enumerate(data.content) if block.type == "thinking" and not block.thinking]
        called = [at for at, block in enumerate(data.content) if block.type == "tool_use"]
        ends = [at for at in empty if called and called[0] < at]
        if ends:
            kept = [block for at, block in enumerate(data.content) if at < ends[0] or block.type != "tool_use"]
            data = data.model_copy(update={"content": kept})
        return super()._format_output(data, **kwargs)
