"""The conformance kit: what a plugin promises by being one, checked from its own declarations.

``check_plugin("my_vertical")`` is one line in the tests of a plugin, ``crm plugin verify`` the same on the command
line. The checks are :data:`CHECKS`, one module each in :mod:`crm_core.testing.conformance.checks`.
"""

from crm_core.testing.conformance.checks import CHECKS
from crm_core.testing.conformance.report import Check, Finding, Report, Result
from crm_core.testing.conformance.running import check_plugin, verify
from crm_core.testing.conformance.subject import Subject

__all__ = ["CHECKS", "Check", "Finding", "Report", "Result", "Subject", "check_plugin", "verify"]
