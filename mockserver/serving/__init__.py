"""The server, its spaces, its journal, and the admin path."""
