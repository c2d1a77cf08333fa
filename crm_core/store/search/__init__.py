"""Searching: an index of words that is kept in the transaction of each change.

``texts`` says what the index keeps of a text, ``indexed`` of a record; ``keeping`` keeps it, ``reindex`` builds and
checks it; ``terms`` reads a query, ``asking`` finds, ``hits`` shows. Drivers hold the tokens.
"""
