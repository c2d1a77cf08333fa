"""What a plugin has in the database, whatever its code says: counting it, writing it to files, dropping it."""
