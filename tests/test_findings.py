"""docs/findings.md names rules that there are, and packages by their names."""

import pytest

from conformance.catalogue import rules

from .findings import Finding, findings, rules_in


@pytest.mark.parametrize(
    ("cell", "wanted"),
    [
        ("[META-02](#a-01-b)", ["META-02"]),
        ("[STREAM-06, INVOKE-08](#two) (SHOULD)", ["STREAM-06", "INVOKE-08"]),
        ("[TOOL-01 to -03, -10](#calls)", ["TOOL-01", "TOOL-02", "TOOL-03", "TOOL-10"]),
        ("[SSE-02, -03, BLOCKS-06, -07](#x)", ["SSE-02", "SSE-03", "BLOCKS-06", "BLOCKS-07"]),
        ("[-](#a-fresh-install)", []),
    ],
)
def test_ids_are_written_short(cell: str, wanted: list[str]) -> None:
    """An area stands once for the numbers that follow it, and `to` for those between."""
    assert list(rules_in(cell)) == wanted


@pytest.mark.parametrize("finding", findings(), ids=lambda each: f"{each.package}: {each.told}")
def test_each_names_rules_and_packages(finding: Finding) -> None:
    """So that pages and tests find them."""
    assert finding.rules <= set(rules())
    assert all("langchain" in name and " " not in name for name in finding.packages)
