"""Random people ask in every way there is, and each answer is compared with a plain-Python oracle.

One probe is one decision: whether this user is shown this record in this way. Too much is a leak, too little a record
that is wrongly hidden.
"""
