"""The counters of manager_server.py."""

import os

from fastapi.concurrency import run_in_threadpool
from multiprocessing.managers import BaseManager

counters = None


class Manager(BaseManager):
    pass


async def open():
    global counters
    Manager.register("counters")
    manager = Manager(address=("127.0.0.1", int(os.environ["STORE_PORT"])), authkey=b"bench")
    manager.connect()
    counters = manager.counters()


async def increment(key):
    return await run_in_threadpool(counters.increment, key)


async def report(key):
    return await run_in_threadpool(counters.report, key)
