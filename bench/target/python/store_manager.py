"""The dict of a multiprocessing.Manager that gunicorn --preload starts before it
forks: reading, adding and writing back are three calls, as people write them."""

import multiprocessing

from fastapi.concurrency import run_in_threadpool

manager = multiprocessing.Manager()
counts = manager.dict()


async def open():
    pass


def add(key):
    counts[key] = counts.get(key, 0) + 1
    return counts[key]


async def increment(key):
    return await run_in_threadpool(add, key)


async def report(key):
    return await run_in_threadpool(counts.get, key, 0)
