"""Tests of `mockserver`, a file for each module."""
