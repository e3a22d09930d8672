"""LangGraph: run.py URL SHAPE EXECUTIONS STEPS. Prints `ready`, begins at a line of input, prints the seconds it took.

A graph with a node for each step over the async Postgres checkpointer, `durability="sync"` so that a node's successor
starts after its checkpoint, as with us. Twenty executions at a time, each with a checkpointer and a connection of its
own: one checkpointer lets only one of them at its pool at a time.
"""

import asyncio
import operator
import sys
import time
from typing import Annotated, Any, TypedDict
from uuid import uuid4

from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.graph import END, START, StateGraph
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

AT_ONCE = 20


class State(TypedDict):
    """What each node adds its number to."""

    done: Annotated[list[int], operator.add]


async def nothing(_state: State) -> dict[str, list[int]]:
    """Do nothing."""
    return {"done": [1]}


def graph_of(shape: str, steps: int) -> Any:
    """The graph of a shape."""
    graph = StateGraph(State)
    names = [f"S{number}" for number in range(steps)]
    for name in names:
        graph.add_node(name, nothing)
    if shape == "fan":
        *members, join = names
        for member in members:
            graph.add_edge(START, member)
        graph.add_edge(members, join)
    else:
        for before, after in zip([START, *names], names, strict=False):
            graph.add_edge(before, after)
    graph.add_edge(names[-1], END)
    return graph


async def run(graphs: list[Any], executions: int) -> float:
    """Seconds for so many executions, as many at a time as there are graphs."""
    left = iter(range(executions))

    async def lane(graph: Any) -> None:
        for _ in left:
            config = {"configurable": {"thread_id": str(uuid4())}}
            await graph.ainvoke({"done": []}, config, durability="sync")

    began = time.perf_counter()
    await asyncio.gather(*map(lane, graphs))
    return time.perf_counter() - began


async def main(url: str, shape: str, executions: int, steps: int) -> None:
    """Get ready, wait for the word, run."""
    session = {"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row}
    async with AsyncConnectionPool(url, min_size=AT_ONCE, max_size=AT_ONCE, kwargs=session) as pool:
        savers = [AsyncPostgresSaver(pool) for _ in range(AT_ONCE)]  # type: ignore[arg-type]
        await savers[0].setup()
        graphs = [graph_of(shape, steps).compile(checkpointer=saver) for saver in savers]
        await run(graphs, AT_ONCE)
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        print(await run(graphs, executions), flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
