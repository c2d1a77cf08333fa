"""Ours beside other systems, side by side in one run: ``python -m benchmarks.peers --help``.

Each system is a *side*: a program in ``scripts/`` which runs in a process of its own, and a foreign system in a virtual
environment of its own too, and does the same jobs with the same data. ``jobs`` orders them in turns, compares what they
answer with what must be there, and only then believes their times.
"""
