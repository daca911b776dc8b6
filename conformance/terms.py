"""On what terms a verdict counts: failures that are known, and rules that are newer than a user holds to."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from .baseline import KIND, Baseline, BaselineError, Change, Key, kind_of, update
from .catalogue import REVISIONS
from .item import Item
from .verdict import Result


def key_of(item: Item) -> Key:
    return Key(item.rule.id, item.situation, item.target.label)


@dataclass
class Terms:
    """Turns what a rule found into what it counts for.

    Args:
        baseline: known failures; `None` where none are given.
        revision: what came into the catalogue after it does not fail the run.
        updating: whether the baseline is to be written anew after the run.
    """

    baseline: Baseline | None = None
    revision: str = REVISIONS[-1]
    updating: bool = False
    _failed: list[Key] = field(default_factory=list)
    _held: list[Key] = field(default_factory=list)

    def settled(self, item: Item, result: Result) -> Result:
        """The verdict on these terms.

        A failure is `new` where its rule is newer than the revision, and `known` where it stands in the baseline or is
        about to be written there. What stands there and passes is `stale`.
        """
        reason = self.baseline.reason(key_of(item)) if self.baseline else None
        if result.verdict == "passed" and result.kinds:
            return replace(result, verdict="known", known=self._reasons(item, result.kinds))
        if result.verdict in ("failed", "warned"):
            if item.is_newer(self.revision):
                return replace(result, verdict="new")
            if reason is None and self.updating and result.verdict == "failed":
                reason = "written to the baseline by this run"
            return replace(result, verdict="known", known=reason) if reason is not None else result
        if result.verdict == "passed" and reason is not None and not self.updating:
            return replace(result, verdict="stale", known=reason)
        return result

    def lost(self, items: Iterable[Item]) -> list[Key]:
        """The entries of the baseline that name none of these items."""
        if not self.baseline or not self.baseline.reasons:
            return []
        known = [key_of(item) for item in items]
        named = {key: replace(key, case=key.case.partition(KIND)[0]) for key in self.baseline.reasons}
        return [key for key, item in named.items() if not any(item.names(each) for each in known)]

    def note(self, facts: dict[str, Any]) -> None:
        """Take note of an item's verdict, told by the properties of its report."""
        situation = "-".join(part for part in (facts["form"], facts["case"]) if part)
        key = Key(str(facts["rule"]), situation, str(facts["model"]))
        if facts.get("verdict") == "known":
            kinds = facts.get("kinds", ())
            self._failed += [replace(key, case=kind_of(situation, kind)) for kind in kinds] or [key]
        elif facts.get("verdict") == "passed":
            self._held.append(key)

    def _reasons(self, item: Item, kinds: Iterable[str]) -> str:
        """Why kinds of failures that an explored item showed are let stand."""
        key = key_of(item)
        reasons = (self.baseline.reason(replace(key, case=kind_of(key.case, kind))) for kind in kinds if self.baseline)
        return "; ".join(dict.fromkeys(filter(None, reasons)))

    def write(self, models: Sequence[str]) -> Change:
        """Write the baseline; `models` are the labels of all models of the run.

        Raises:
            BaselineError: it cannot be written.
        """
        if self.baseline is None:
            raise BaselineError("--conformance-update-baseline goes with --conformance-baseline=FILE")
        return update(self.baseline.file, self._failed, self._held, name_models=len(models) > 1)
