"""`rolecall up`, `serve` and `work`: the processes that stay until they are told to end."""

import asyncio
import errno
import gc
import logging
import socket
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import click
import uvicorn
from litestar import Litestar

from api.app import create_app, sockets_of, streams_of
from api.cli import tokens
from api.cli.mendable import Unusable
from api.cli.process import on_stop_signals, settings, with_runtime, working
from api.cli.protocol import BoundedHttp
from api.rpc import MAX_MESSAGE_BYTES, Sockets, Streams
from services.engine.worker import Worker
from services.health import VERSION
from services.runtime import Runtime
from services.settings import Settings

# What is under way may finish: requests for a moment, attempts at steps for as long as the worker's own grace.
REQUEST_PATIENCE_SECONDS = 5
_WORKER_PATIENCE_SECONDS = 25.0


def serve(*, with_worker: bool) -> int:
    """Serve the API, with a worker beside it or without, until SIGINT or SIGTERM; the exit code is 0 then."""
    _log_to_stderr()
    # Before anything is started: the likeliest thing to be wrong is that it runs already.
    with closing(_listening(settings())) as listening:
        return with_runtime(lambda runtime: _serve(runtime, listening, with_worker=with_worker), as_operator=False)


def work() -> int:
    """Work until SIGINT or SIGTERM; the exit code is 0 then."""
    _log_to_stderr()
    return with_runtime(_work, as_operator=False)


async def _serve(runtime: Runtime, listening: socket.socket, *, with_worker: bool) -> int:
    if not with_worker:
        return await _served(runtime, listening, None)
    worker = runtime.worker()
    async with working(worker, patience_seconds=_WORKER_PATIENCE_SECONDS) as work:
        code = await _served(runtime, listening, worker, until=work)
        if work.done() and not work.cancelled():
            work.result()
        return code


async def _served(
    runtime: Runtime, listening: socket.socket, worker: Worker | None, *, until: asyncio.Task[None] | None = None
) -> int:
    token = await tokens.admin_token(runtime.settings)
    host, port = listening.getsockname()[:2]
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}"

    def announce() -> None:
        click.echo(f"Rolecall {VERSION} at {url}, {'with' if worker else 'without'} a worker")
        click.echo(f"  model  {runtime.models.default}")
        click.echo(f"  token  {token}")

    app = create_app(runtime, worker=worker)
    server = _Server(_config(app), sockets_of(app), streams_of(app), announce)

    def stop() -> None:
        server.should_exit = True
        if worker is not None:
            worker.stop()

    if until is not None:
        until.add_done_callback(lambda _: stop())
    with on_stop_signals(stop):
        await server.serve(sockets=[listening])
    return 0 if server.started else 1


async def _work(runtime: Runtime) -> int:
    stop = asyncio.Event()
    async with working(runtime.worker(), patience_seconds=_WORKER_PATIENCE_SECONDS) as work:
        stopping = asyncio.create_task(stop.wait())
        with on_stop_signals(stop.set):
            click.echo(f"Rolecall {VERSION}: working; model {runtime.models.default}")
            await asyncio.wait({work, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if work.done():
            work.result()
    return 0


class _Server(uvicorn.Server):
    """uvicorn, which leaves the signals to us and says when it is ready."""

    def __init__(
        self, config: uvicorn.Config, open_sockets: Sockets, streams: Streams, announce: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self._open_sockets = open_sockets
        self._streams = streams
        self._announce = announce

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        # uvicorn would raise the signal again afterwards, and the process would end by it instead of with 0.
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        # What is there by now stays; each look through it for garbage would hold up every call for 50 ms.
        gc.collect()
        gc.freeze()
        if self.started:
            self._announce()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # Nobody is let in any more, so whoever is asked to go on elsewhere does not come back here.
        for server in self.servers:
            server.close()
        for listening in sockets or ():
            listening.close()
        self._streams.end()
        await self._open_sockets.leave(patience_seconds=REQUEST_PATIENCE_SECONDS)
        # Those that have begun meanwhile, on connections that were open.
        self._streams.end()
        await super().shutdown(sockets)


def _config(app: Litestar) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=BoundedHttp,
        ws="websockets-sansio",
        ws_max_size=MAX_MESSAGE_BYTES,
        # Ours go to the page itself; a browser whose page is frozen would go on answering these.
        ws_ping_interval=None,
        # Compressing short texts costs more, per open socket above all, than it saves.
        ws_per_message_deflate=False,
        lifespan="on",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=REQUEST_PATIENCE_SECONDS,
    )


def _listening(settings: Settings) -> socket.socket:
    """A socket at the address of the settings.

    Raises:
        Unusable: the port is taken, or the address is not one of this machine.
    """
    where = f"{settings.host}:{settings.port}"
    try:
        family, _, _, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        return socket.create_server(address[:2], family=family, backlog=2048)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            message = f"{where} is in use, perhaps by another `rolecall up`; set ROLECALL_PORT to a free port"
            raise Unusable(message) from None
        raise Unusable(f"cannot listen on {where}: {error.strerror}; see ROLECALL_HOST and ROLECALL_PORT") from None
    except OverflowError as error:
        raise Unusable(f"cannot listen on {where}: {error}") from None


def _log_to_stderr() -> None:
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
