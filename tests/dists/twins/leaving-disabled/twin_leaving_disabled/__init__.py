"""A plugin for tests of the conformance kit."""
