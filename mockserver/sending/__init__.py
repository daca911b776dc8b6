"""How an answer leaves: cuts, pace, gates and faults, planned and then written to a connection."""
