"""Looking at a database after something happened to it: is all of it there, once, and does it fit together?"""

from torture.examining.examination import Complaint, Heads, examine, heads
from torture.examining.likeness import likeness

__all__ = ["Complaint", "Heads", "examine", "heads", "likeness"]
