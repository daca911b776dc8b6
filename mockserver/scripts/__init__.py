"""Which request is answered with what: as Python objects, and as YAML files."""
