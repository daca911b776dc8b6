"""Recorded streams: their format, the recorder, and how they are played."""
