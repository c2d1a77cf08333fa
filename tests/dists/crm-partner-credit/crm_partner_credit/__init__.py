"""Credit lines of accounts, and a veto where one who is over the limit would change hands."""
