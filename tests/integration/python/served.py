# SPDX-License-Identifier: GPL-2.0-only
"""One application for each framework, as its users write it: GET /square/N answers {"n": N, "square": N * N} after some
waiting and some work. For frameworks_test.py."""
import asyncio
import json
import os


def work(n):
    total = sum(2 * k + 1 for k in range(n))
    assert total == n * n
    return {"n": n, "square": total}


def number_in(path):
    return int(path.rpartition("/")[2])


async def plain_asgi(scope, receive, send):
    if scope["type"] == "lifespan":
        for _ in range(2):
            message = await receive()
            await send({"type": message["type"] + ".complete"})
        return
    await asyncio.sleep(0.001)
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(work(number_in(scope["path"]))).encode()})


def plain_wsgi(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(work(number_in(environ["PATH_INFO"]))).encode()]


def aiohttp_application(arguments):
    from aiohttp import web

    async def square(request):
        await asyncio.sleep(0.001)
        return web.json_response(work(int(request.match_info["n"])))

    application = web.Application()
    application.add_routes([web.get("/square/{n}", square)])
    return application


def configure_django():
    import django
    from django.conf import settings

    if not settings.configured:
        settings.configure(ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, SECRET_KEY="of a test")
        django.setup()


if os.environ.get("SERVED") == "django":
    configure_django()
    from django.core.asgi import get_asgi_application
    from django.core.wsgi import get_wsgi_application
    from django.http import JsonResponse
    from django.urls import path

    async def square_async(request, n):
        await asyncio.sleep(0.001)
        return JsonResponse(work(n))

    def square(request, n):
        return JsonResponse(work(n))

    urlpatterns = [path("square/<int:n>", square_async), path("plain/<int:n>", square)]
    django_asgi, django_wsgi = get_asgi_application(), get_wsgi_application()

if os.environ.get("SERVED") == "celery":
    import celery

    place = os.environ["CELERY_DIR"]
    celery_application = celery.Celery("served", broker="filesystem://", backend=f"file://{place}/results")
    for folder in ("results", "queue", "control"):
        os.makedirs(os.path.join(place, folder), exist_ok=True)
    celery_application.conf.update(broker_transport_options={
        "data_folder_in": f"{place}/queue", "data_folder_out": f"{place}/queue", "control_folder": f"{place}/control"})

    @celery_application.task(name="square")
    def square_task(n):
        return asyncio.run(square_later(n))

    async def square_later(n):
        await asyncio.sleep(0.001)
        return work(n)
