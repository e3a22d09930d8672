"""tRPC v11 served from Python: procedures, routers, the ASGI application and the documents generated from them.

Knows nothing of what it serves.
"""

from api.rpc.calls import RequestInfo
from api.rpc.codes import Code, RpcError
from api.rpc.describe.openapi import About, openapi
from api.rpc.describe.reference import Page, reference
from api.rpc.describe.refusals import Access
from api.rpc.describe.typescript import Described, typescript
from api.rpc.http import RpcApp
from api.rpc.inputs import read_input
from api.rpc.limits import Limits, Pace
from api.rpc.problems import Problem
from api.rpc.procedure import Example, Kind, Procedure, mutation, query, subscription
from api.rpc.request_id import request_id_from
from api.rpc.router import Family, Router
from api.rpc.sockets.socket import SocketLimits
from api.rpc.sockets.ws import MAX_MESSAGE_BYTES, Sockets
from api.rpc.streaming import Streams
from api.rpc.tracked import Tracked
from api.rpc.uploads import File, Form, Octets
from api.rpc.whole import whole

__all__ = [
    "MAX_MESSAGE_BYTES",
    "About",
    "Access",
    "Code",
    "Described",
    "Example",
    "Family",
    "File",
    "Form",
    "Kind",
    "Limits",
    "Octets",
    "Pace",
    "Page",
    "Problem",
    "Procedure",
    "RequestInfo",
    "Router",
    "RpcApp",
    "RpcError",
    "SocketLimits",
    "Sockets",
    "Streams",
    "Tracked",
    "mutation",
    "openapi",
    "query",
    "read_input",
    "reference",
    "request_id_from",
    "subscription",
    "typescript",
    "whole",
]
