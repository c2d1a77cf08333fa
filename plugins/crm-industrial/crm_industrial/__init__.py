"""Industrial goods: patience without waste.

``programmes`` has the programmes with their budgets, ``touches`` what was done for prospects and what it cost, and
``departments`` warns when a second department spends on the same prospect.
"""
