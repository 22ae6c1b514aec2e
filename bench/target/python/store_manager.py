"""The dict of a multiprocessing.Manager that gunicorn --preload starts before it
forks: reading, adding and writing back are calls of their own, as people write
them, and lose increments."""

import multiprocessing

from fastapi.concurrency import run_in_threadpool

manager = multiprocessing.Manager()
counts = manager.dict()


async def open():
    pass


def add(key):
    count = counts.get(key, 0) + 1
    counts[key] = count
    return count


async def increment(key):
    return await run_in_threadpool(add, key)


async def report(key):
    return await run_in_threadpool(counts.get, key, 0)
