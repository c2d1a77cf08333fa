"""A plugin for tests of the conformance kit."""

from twin_cheap_import import plugin

__all__ = ["plugin"]
