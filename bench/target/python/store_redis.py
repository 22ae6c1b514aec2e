"""Redis, by INCR, and its strings for values."""

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


async def get(key):
    return await client.get(key)


async def put(key, value):
    await client.set(key, value)
