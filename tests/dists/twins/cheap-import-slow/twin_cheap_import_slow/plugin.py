"""Slow: as if a large library were imported here."""

import time

time.sleep(2)
