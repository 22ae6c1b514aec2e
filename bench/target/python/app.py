"""A counter behind FastAPI, over the store that STORE names."""

import importlib
import os

from fastapi import FastAPI

store = importlib.import_module("store_" + os.environ["STORE"])
app = FastAPI(on_startup=[store.open])


@app.get("/increment")
async def increment(key: str = "count"):
    return {"key": key, "count": await store.increment(key)}


@app.get("/report")
async def report(key: str = "count"):
    return {"count": await store.report(key), "current_process_id": os.getpid()}
