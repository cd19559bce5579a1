# SPDX-License-Identifier: GPL-2.0-only
"""A web service that knows nothing of Morpheus; its command line makes the difference:

    python3 -m morpheus --blame -m uvicorn fastapi_app:app
"""
from fastapi import FastAPI

app = FastAPI()


@app.get("/primes/{limit}")
async def primes(limit: int):
    """Counts primes by trial division: a handler that needs the CPU."""
    limit = min(limit, 100_000)
    found = []
    for number in range(2, limit):
        if all(number % prime for prime in found if prime * prime <= number):
            found.append(number)
    return {"limit": limit, "primes": len(found)}
