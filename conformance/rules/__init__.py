"""The rules, an area a module, registered in the order of the catalogue."""

from . import invoke, stream, asynchronous, batch, events, default  # noqa: F401, I001 - the catalogue's order
