"""Benchmarks: ratios of one run, beside SQLAlchemy Core and Django, beside other systems, and as a company grows.

Run ``make bench``, ``make bench-peers``, ``make bench-growth`` or ``make bench-duplicates``, or one of
``python -m benchmarks.ratios --help``, ``benchmarks.peers``, ``benchmarks.growth``, ``benchmarks.search`` and
``benchmarks.duplicates``.
"""
