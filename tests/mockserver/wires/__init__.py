"""Tests of `mockserver.wires`."""
