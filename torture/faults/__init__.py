"""Faults: whoever works is killed, cut off or refused at any point, and then the database is examined."""
