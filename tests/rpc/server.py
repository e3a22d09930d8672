"""The toy sockets in a process of their own, which a test may kill: `python -m tests.rpc.server PORT`."""

import sys

import uvicorn

from tests.rpc.sockets import app_with

if __name__ == "__main__":
    uvicorn.run(app_with(), port=int(sys.argv[1]), lifespan="off", log_level="warning", ws="websockets-sansio")
