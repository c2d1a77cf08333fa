"""The journal in parts, on PostgreSQL: a range of ids each, which are ranges of time because ids grow with it.

See decision 0050. On SQLite the journal is one table, and all that asks
for parts finds none.
"""
