"""Consumer goods: many outlets, few minutes each.

``outlets`` classifies accounts, ``visits`` plans and holds visits, ``store_checks`` notes what stands on the shelf, and
``coverage`` compares what was planned with what was held.
"""
