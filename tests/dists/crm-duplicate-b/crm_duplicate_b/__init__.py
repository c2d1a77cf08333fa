"""A plugin and drivers for tests."""


class Two:
    """A driver."""
