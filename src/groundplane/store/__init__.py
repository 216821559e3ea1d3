"""The store: a contract in domain words, and SQLite behind it."""
