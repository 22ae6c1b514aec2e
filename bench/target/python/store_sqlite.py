"""SQLite in a file, with a write-ahead log. A statement takes less time than to
hand it to a thread, and threads would only queue for the one writer's lock."""

import os
import sqlite3

ADD = """
    INSERT INTO counts (key, n) VALUES (?, 1)
    ON CONFLICT (key) DO UPDATE SET n = n + 1 RETURNING n
"""
connection = None


def connect():
    return sqlite3.connect(os.environ["STORE_FILE"], timeout=60, isolation_level=None)


async def open():
    global connection
    connection = connect()
    connection.execute("PRAGMA synchronous = NORMAL")


async def increment(key):
    return connection.execute(ADD, (key,)).fetchone()[0]


async def report(key):
    row = connection.execute("SELECT n FROM counts WHERE key = ?", (key,)).fetchone()
    return row[0] if row else 0


if __name__ == "__main__":  # makes the file, before there are workers
    with connect() as made:
        made.execute("PRAGMA journal_mode = WAL")
        made.execute("CREATE TABLE counts (key TEXT PRIMARY KEY, n INTEGER NOT NULL)")
