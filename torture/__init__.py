"""Programs that do their worst to a CRM, and count what was lost: ``python -m torture --help``.

They are no tests: they run for minutes, at random, and print figures. ``make torture`` runs all of them. Each ends
with 1 where it found anything, 3 where it could not go on or had nothing to measure, and 130 where somebody interrupted
it; what was measured until then is told.
"""
