"""The speed of `mockserver`, with peers side by side in one run: ``python -m benchmarks.server``. Linux, two cores."""
