"""PostgreSQL, a row for each key."""

import os

import asyncpg

ADD = """
    INSERT INTO counts (key, n) VALUES ($1, 1)
    ON CONFLICT (key) DO UPDATE SET n = counts.n + 1 RETURNING n
"""
pool = None


async def open():
    global pool
    pool = await asyncpg.create_pool(host="127.0.0.1", port=int(os.environ["STORE_PORT"]), user="postgres", database="postgres", min_size=4, max_size=16)


async def increment(key):
    return await pool.fetchval(ADD, key)


async def report(key):
    return await pool.fetchval("SELECT n FROM counts WHERE key = $1", key) or 0
