"""A plugin and drivers for tests."""


class One:
    """A driver."""
