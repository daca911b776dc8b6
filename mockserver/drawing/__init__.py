"""Streams drawn against time."""
