"""Plugins that leave: their footprint, switching off and on, removing them with all they have, bringing it back."""
