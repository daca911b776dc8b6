"""``conformance matrix``: the suite on many integrations, each in an environment of its own, and one report of all."""
