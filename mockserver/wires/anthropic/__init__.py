"""Anthropic Messages, alone and on Vertex AI."""
