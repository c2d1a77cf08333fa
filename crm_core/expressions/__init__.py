"""The filter language: one for filters, segments, rules and reports.

``parse(source).bind(types, record_type, environment)`` gives a :class:`Filter`, which is SQL and a function in memory
with the same answers. ``docs/reference/expressions.md`` is the language's reference.
"""

from crm_core.expressions.environment import Derived, Environment, Row, World
from crm_core.expressions.filters import Filter
from crm_core.expressions.order import Order, keyset, order_by, parse_order
from crm_core.expressions.syntax import Expression, parse

__all__ = [
    "Derived",
    "Environment",
    "Expression",
    "Filter",
    "Order",
    "Row",
    "World",
    "keyset",
    "order_by",
    "parse",
    "parse_order",
]
