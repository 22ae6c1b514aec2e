"""A plain global: each worker process has one of its own."""

counts = {}


async def open():
    pass


async def increment(key):
    counts[key] = counts.get(key, 0) + 1
    return counts[key]


async def report(key):
    return counts.get(key, 0)
