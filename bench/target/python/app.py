"""A counter behind FastAPI, over the store that STORE names; values where it has
them, passed on as they are."""

import importlib
import os

from fastapi import FastAPI, HTTPException, Request, Response

store = importlib.import_module("store_" + os.environ["STORE"])
app = FastAPI(on_startup=[store.open])


@app.get("/increment")
@app.post("/increment")
async def increment(key: str = "count"):
    return {"key": key, "count": await store.increment(key)}


@app.get("/report")
async def report(key: str = "count"):
    return {"count": await store.report(key), "current_process_id": os.getpid()}


if hasattr(store, "put"):

    @app.get("/v1/keys/{key}")
    async def get(key: str):
        value = await store.get(key)
        if value is None:
            raise HTTPException(404)
        return Response(value, media_type="application/json")

    @app.put("/v1/keys/{key}")
    async def put(key: str, request: Request):
        value = await request.body()
        await store.put(key, value)
        return Response(value, media_type="application/json")
