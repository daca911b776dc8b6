"""Integrations as data: how a released class is built and aimed at a local URL, and which wire it speaks.

One TOML file a package, one stanza a class, keyed ``"package:Class"``. Users add stanzas of the same form to their own
`pyproject.toml`, under ``[tool.conformance.models."package.module:Class"]``.
"""

from .finding import GROUP, known, of_project, of_tables, shipped
from .parsing import example, parse
from .stanza import CAPABILITIES, KEY, SETTINGS, UNITS, Stanza, StanzaError, authority, environment, trust

__all__ = [
    "CAPABILITIES",
    "GROUP",
    "KEY",
    "SETTINGS",
    "UNITS",
    "Stanza",
    "StanzaError",
    "authority",
    "environment",
    "example",
    "known",
    "of_project",
    "of_tables",
    "parse",
    "shipped",
    "trust",
]
