"""FastAPI: `async def` and plain endpoints, dependencies of both kinds, routers, decorators."""

import asyncio
import functools

import akit
import fastapi
import kit
import witness

FRAMEWORK = "FastAPI"
PACKAGES = "python3-fastapi"
MODULE = "fastapi"
SERVERS = ["uvicorn", "uvicorn-uvloop", "gunicorn-uvicorn", "hypercorn"]
ASKED = {
    "GET /read/7": "read",
    "GET /parallel": "parallel",
    "GET /blocking": "blocking",
    "GET /decorated": "decorated",
    "GET /guarded": ["user", "guarded"],
    "GET /guarded_blocking": ["user_blocking", "guarded_blocking"],
    "POST /router/write": "write",
    "GET /quiet": None,
}

APART = ["hypercorn/user", "hypercorn/blocking", "hypercorn/user_blocking", "hypercorn/guarded_blocking"]

app = fastapi.FastAPI()
router = fastapi.APIRouter(prefix="/router")


@app.get("/read/{number}")
@witness.endpoint
async def read(number: int):
    with witness.run():
        for turn in range(number):
            await akit.redis("GET", "item %d" % turn)
        await akit.raw()
        await akit.http("/size/10", "/size/?")
    return {"read": number}


@app.get("/parallel")
@witness.endpoint
async def parallel():
    with witness.run():
        await asyncio.gather(akit.raw(), akit.raw(answer=3000), akit.redis("GET", "parallel"))
    return "parallel"


@app.get("/blocking")
@witness.endpoint
def blocking():
    with witness.run():
        kit.redis("GET", "blocking")
        kit.raw()
    return "blocking"


def logged(view):
    @functools.wraps(view)
    async def wrapper(*arguments, **keywords):
        return await view(*arguments, **keywords)

    return wrapper


@app.get("/decorated")
@logged
@witness.endpoint
async def decorated():
    with witness.run():
        await akit.raw()
        await akit.redis("SET", "decorated", 1)
    return "decorated"


@witness.endpoint
async def user():
    """What the framework calls before an endpoint answers for its own calls."""
    with witness.run():
        return await akit.redis("GET", "user")


@app.get("/guarded")
@witness.endpoint
async def guarded(who=fastapi.Depends(user)):
    with witness.run():
        await akit.raw()
        await akit.redis("SET", "user", 1)
    return "guarded"


@witness.endpoint
def user_blocking():
    with witness.run():
        return kit.redis("GET", "user")


@app.get("/guarded_blocking")
@witness.endpoint
def guarded_blocking(who=fastapi.Depends(user_blocking)):
    with witness.run():
        kit.raw(answer=50)
    return "guarded"


@router.post("/write")
@witness.endpoint
async def write():
    with witness.run():
        await akit.redis("SET", "written", 2)
        await akit.raw(size=300)
    return "written"


@app.get("/quiet")
async def quiet():
    return "quiet"


app.include_router(router)
