"""A plugin that no distribution brings."""
