"""OpenAI Chat Completions, and the dialects of compatible providers."""
