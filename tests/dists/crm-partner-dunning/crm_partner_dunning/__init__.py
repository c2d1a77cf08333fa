"""Reminders of what customers owe us, along their credit lines."""
