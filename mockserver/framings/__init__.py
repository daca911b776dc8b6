"""How streams are cut into frames, both ways, without I/O."""
