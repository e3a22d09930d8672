"""tRPC v11 served from Python: procedures, routers, the ASGI application and the documents generated from them.

Knows nothing of what it serves.
"""

from api.rpc.calls import RequestInfo
from api.rpc.codes import Code, RpcError
from api.rpc.http import RpcApp
from api.rpc.inputs import read_input
from api.rpc.openapi import About, openapi
from api.rpc.problems import Problem
from api.rpc.procedure import Example, Kind, Procedure, mutation, query, subscription
from api.rpc.reference import Page, reference
from api.rpc.refusals import Access
from api.rpc.router import Router
from api.rpc.tracked import Tracked
from api.rpc.typescript import typescript

__all__ = [
    "About",
    "Access",
    "Code",
    "Example",
    "Kind",
    "Page",
    "Problem",
    "Procedure",
    "RequestInfo",
    "Router",
    "RpcApp",
    "RpcError",
    "Tracked",
    "mutation",
    "openapi",
    "query",
    "read_input",
    "reference",
    "subscription",
    "typescript",
]
