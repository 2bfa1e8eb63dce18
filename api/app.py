"""Makes the application; what a server shares is handed in, so that a test may hand in its own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from api import document, idempotent, problems
from api.context import Context
from api.middleware import Envelope
from api.routes import changes, erasures, events, exports, notes, people, reports, service, uploads, webhooks

_ROUTERS = (
    notes.router,
    people.router,
    changes.router,
    erasures.router,
    uploads.router,
    exports.router,
    reports.router,
    webhooks.router,
    events.router,
    service.router,
)


def make_app(context: Context, *, version: str) -> FastAPI:
    """Make the application of one server.

    Args:
        context: what its handlers share; its threads run as long as the server does.
        version: of this release, for `/openapi.json`.
    """

    @asynccontextmanager
    async def run(_app: FastAPI) -> AsyncIterator[None]:
        context.audit.start()
        context.eraser.start()
        context.exporter.start()
        yield
        context.exporter.stop()
        context.eraser.stop()
        context.audit.stop()

    # Its pages of documentation load scripts from elsewhere.
    app = FastAPI(title="Tonalog", version=version, lifespan=run, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.state.context = context
    app.state.routes = [route for router in _ROUTERS for route in router.routes]
    for router in _ROUTERS:
        app.include_router(router)
    problems.install(app)
    idempotent.install(app)
    document.install(app)
    app.add_middleware(Envelope)
    return app
