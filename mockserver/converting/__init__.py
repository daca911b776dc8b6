"""Between scripts, cassettes, and the formats of others."""
