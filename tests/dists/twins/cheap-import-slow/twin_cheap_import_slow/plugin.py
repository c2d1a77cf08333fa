"""Slow: it computes while it is imported, and so takes its part of the machine as the kernel does."""

TOTAL = sum(number * number for number in range(20_000_000))
