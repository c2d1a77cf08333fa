"""Key accounts: one face to a customer who sees many of us, and value that is measured and grown.

``profiles`` has the tiers, ``scores`` the formulas, ``snapshots`` what an account was worth when, and ``alerts`` what
moved it.
"""
