"""Store and queue in one SQLite file: the row is the record, and it is what is due."""
