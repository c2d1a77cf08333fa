"""The store: sessions on SQLite and PostgreSQL, visibility, one write path, journal, two times, undo."""
