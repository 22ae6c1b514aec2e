"""The dict of store_manager, with the manager's lock around each addition."""

from fastapi.concurrency import run_in_threadpool

from store_manager import counts, manager, open, report

__all__ = ["increment", "open", "report"]

lock = manager.Lock()


def add(key):
    with lock:
        count = counts.get(key, 0) + 1
        counts[key] = count
    return count


async def increment(key):
    return await run_in_threadpool(add, key)
