"""DEFAULT: models without token streaming, and what langchain-core's defaults do for them."""

from ..catalogue import INFO, MUST, Case, rule
from ..drive import PROMPT, Probe
from ..observe import agree
from ..target import Target
from ..verdict import Broken, NotApplicable
from . import scripts
from .asynchronous import keeps_beating


@rule(
    "DEFAULT-01",
    MUST,
    "without token streaming, stream yields the one final value",
    cases=lambda target: [
        Case("", {}) if not target.streams("sync") else Case("disabled", {"disable_streaming": True})
    ],
    hint="code that streams must work with a model that cannot",
    mend="implement `_stream` only where the provider streams",
    source="langchain_core/language_models/chat_models.py: without `_stream`, `stream` yields what `invoke` gives",
)
def one_final_value(probe: Probe, case: Case) -> None:
    if case.value and not probe.target.has_field("disable_streaming"):
        raise NotApplicable("this langchain-core has no disable_streaming")
    probe.play(scripts.PLAIN)
    model = probe.model(**case.value)
    items = probe.stream(on=model)
    if len(items) != 1:
        raise Broken("one item", f"{len(items)} items")
    wanted = probe.invoke(on=model)
    agree(wanted, items[0], names=(probe.name("invoke"), probe.name("stream")))


@rule(
    "DEFAULT-02",
    MUST,
    "async methods without an implementation of their own run off the loop",
    forms="a",
    needs=("default async",),
    cases=(Case("invoke", ("invoke", "head")), Case("stream", ("stream", "head"))),
    hint="an async method that calls the sync one without an executor",
    mend="leave `_agenerate` and `_astream` to langchain-core, which run the sync ones in an executor",
    source="langchain_core/language_models/chat_models.py: `_agenerate` runs `_generate` in an executor; "
    "langchain-ai/langchain-aws#171",
)
def defaults_run_off_the_loop(probe: Probe, case: Case) -> None:
    keeps_beating(probe, *case.value)


@rule(
    "DEFAULT-03",
    INFO,
    "what is native and what is default is found and shown",
    forms="s",
    source="langchain_core/language_models/chat_models.py: the table of methods in BaseChatModel's docstring",
)
def natives_are_shown(probe: Probe, case: Case) -> None:
    probe.play(scripts.PLAIN)
    asked = probe.beside("sync")
    pieces = [chunk for chunk in asked.iterate("stream", PROMPT, on=probe.model()).rest() if chunk.content]
    streamed = any(each.asked and each.asked.stream for each in probe.exchanges)
    probe.note = ", ".join(
        f"{method} {kind}" for method, kind in _kinds(probe.target, fake=not streamed or len(pieces) < 2).items()
    )


def _kinds(target: Target, *, fake: bool) -> dict[str, str]:
    """`native`: the class implements it; `default`: langchain-core does; `fake`: the class does, without streaming."""
    kinds = {
        "invoke": "native",
        "ainvoke": "native" if target.native("_agenerate") else "default",
        "stream": "native" if target.native("_stream") else "default",
        "astream": "native" if target.native("_astream") else "default",
    }
    if fake:
        kinds |= {method: "fake" for method in ("stream", "astream") if kinds[method] == "native"}
    return kinds
