"""A build as a thing that is delivered: judged as a whole, locked, packed, compared, drawn."""
