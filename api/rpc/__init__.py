"""tRPC v11 served from Python: procedures, routers, the ASGI application and the documents generated from them.

Knows nothing of what it serves.
"""

from api.rpc.calls import RequestInfo
from api.rpc.codes import Code, RpcError
from api.rpc.http import RpcApp
from api.rpc.inputs import read_input
from api.rpc.limits import Limits, Pace
from api.rpc.openapi import openapi
from api.rpc.problems import Problem
from api.rpc.procedure import Kind, Procedure, mutation, query, subscription
from api.rpc.router import Router
from api.rpc.streaming import Streams
from api.rpc.tracked import Tracked
from api.rpc.typescript import typescript
from api.rpc.uploads import File, Form, Octets

__all__ = [
    "Code",
    "File",
    "Form",
    "Kind",
    "Limits",
    "Octets",
    "Pace",
    "Problem",
    "Procedure",
    "RequestInfo",
    "Router",
    "RpcApp",
    "RpcError",
    "Streams",
    "Tracked",
    "mutation",
    "openapi",
    "query",
    "read_input",
    "subscription",
    "typescript",
]
