"""The conformance suite for chat models: ``pytest --chat-model=package:Class``.

Kept empty of imports: pytest loads `conformance.plugin` in every run of every project that has this package installed.
"""
