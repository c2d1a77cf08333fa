"""Ratios beside raw SQLAlchemy Core and Django, within one process each: ``python -m benchmarks.ratios --help``."""
