"""A plugin that is made to leave."""
