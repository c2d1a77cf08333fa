"""Benchmarks: ratios measured in one run, side by side with raw SQLAlchemy Core and Django.

Run ``make bench``, or ``python -m benchmarks --help``.
"""
