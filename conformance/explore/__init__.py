"""Explore: replies that nobody wrote down, generated, compared with what the model makes of them, and shrunk."""
