"""Redis, by INCR."""

import os

import redis.asyncio

client = None


async def open():
    global client
    client = redis.asyncio.Redis(host="127.0.0.1", port=int(os.environ["STORE_PORT"]))


async def increment(key):
    return await client.incr(key)


async def report(key):
    return int(await client.get(key) or 0)
