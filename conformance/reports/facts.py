"""What a report says of the suite, of Python and of the model, beside what became of the rules."""

import hashlib
import json
import platform
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from importlib import metadata
from typing import Any, Final

from ..catalogue import REVISIONS, Rule, rules
from ..item import items
from ..session import REPLAY
from ..target import Target
from ..wording import PLAYED

FORMAT: Final = 1
"""The version of the report's shape; it grows when a reader of an older one would go wrong."""
DISTRIBUTION: Final = "chat-model-conformance"
CORE: Final = "langchain-core"
METHODS: Final[Mapping[str, str]] = {
    "invoke": "_generate",
    "ainvoke": "_agenerate",
    "stream": "_stream",
    "astream": "_astream",
}
"""The methods that callers use, and what a class implements for each."""
_REQUIRED: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_OF_EXTRA: Final = re.compile(r";.*\bextra\s*==")


def suite_version() -> str:
    """The version of this project, or ``"0"`` where it runs without being installed."""
    return _version(DISTRIBUTION) or "0"


def catalogue_digest() -> str:
    """Changes where a rule is added, or one of its level, statement, forms or needs changes."""
    told = [(rule.id, rule.level, rule.statement, rule.forms, rule.needs, rule.since) for rule in rules().values()]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]


def about_suite() -> dict[str, Any]:
    return {
        "name": DISTRIBUTION,
        "version": suite_version(),
        "catalogue": {"revision": REVISIONS[-1], "digest": catalogue_digest()},
    }


def about_python() -> dict[str, str]:
    return {
        "version": platform.python_version(),
        "implementation": platform.python_implementation(),
        "system": f"{platform.system()} {platform.machine()}",
    }


def about_model(target: Target) -> dict[str, Any]:
    """What the model is, and how many items the catalogue has for it."""
    found = target.model_class
    name = _distribution(found.__module__)
    played = (item for item in items(target) if not target.cassettes.chosen or item.rule.area == REPLAY)
    return {
        "spec": target.spec,
        "label": target.label,
        "class": f"{found.__module__}:{found.__qualname__}",
        "wire": target.wire.name,
        "kwargs": json.loads(json.dumps(dict(target.extra), default=repr)),
        "package": {"name": name, "version": _version(name)} if name else None,
        "versions": _versions(name),
        "native": {method: target.native(own) for method, own in METHODS.items()},
        **({"played": PLAYED} if target.stanza.in_process else {}),
        "catalogue": sum(1 for _ in played),
    }


def counts(of: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """How many items have each verdict that occurs."""
    return dict(sorted(Counter(str(item["verdict"]) for item in of).items()))


def rules_of(of: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, str]]:
    """What the catalogue says of the rules of these items, in its order."""
    met = {item["rule"] for item in of}
    return {id: _about_rule(rule) for id, rule in rules().items() if id in met}


def _about_rule(rule: Rule) -> dict[str, str]:
    further = {"hint": rule.hint, "mend": rule.mend, "source": rule.source}
    return {"level": rule.level, "statement": rule.statement, **{name: text for name, text in further.items() if text}}


def _distribution(module: str) -> str:
    """The name of the distribution that a module is installed by, or `""`."""
    top = module.partition(".")[0]
    guessed = top.replace("_", "-")
    if _version(guessed):
        return guessed
    return next(iter(metadata.packages_distributions().get(top, ())), "")


def _versions(name: str) -> dict[str, str]:
    """The versions of langchain-core, of a distribution, and of what it requires: its SDK is among that.

    Where it is built on another integration, such as langchain-openai, what that requires is told too.
    """
    direct = _required(name)
    further = (each for base in direct if base.startswith("langchain-") and base != CORE for each in _required(base))
    found = {each: _version(each) for each in (CORE, name, *direct, *further) if each}
    return {each: version for each, version in sorted(found.items()) if version}


def _required(name: str) -> list[str]:
    """The names of what a distribution requires, without its extras."""
    try:
        told = metadata.requires(name) or [] if name else []
    except metadata.PackageNotFoundError:
        return []
    return [each[0].lower() for text in told if not _OF_EXTRA.search(text) and (each := _REQUIRED.match(text))]


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""
