"""SQLite in a file, with a write-ahead log."""

import os
import sqlite3
import threading

from fastapi.concurrency import run_in_threadpool

ADD = """
    INSERT INTO counts (key, n) VALUES (?, 1)
    ON CONFLICT (key) DO UPDATE SET n = n + 1 RETURNING n
"""
local = threading.local()


def connection():
    if not hasattr(local, "connection"):
        local.connection = sqlite3.connect(os.environ["STORE_FILE"], timeout=60, isolation_level=None)
        local.connection.execute("PRAGMA synchronous = NORMAL")
    return local.connection


async def open():
    connection().execute("PRAGMA journal_mode = WAL")
    connection().execute("CREATE TABLE IF NOT EXISTS counts (key TEXT PRIMARY KEY, n INTEGER NOT NULL)")


def add(key):
    return connection().execute(ADD, (key,)).fetchone()[0]


def read(key):
    row = connection().execute("SELECT n FROM counts WHERE key = ?", (key,)).fetchone()
    return row[0] if row else 0


async def increment(key):
    return await run_in_threadpool(add, key)


async def report(key):
    return await run_in_threadpool(read, key)
