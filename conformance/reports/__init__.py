"""What a run leaves for people and machines: the report's facts, its shape, and the ways in which it is written."""
