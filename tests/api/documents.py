"""Orchestrations for the tests; none of them needs a key or the network."""

from typing import Any


def quoting(name: str, **fields: Any) -> dict[str, Any]:
    """One that gives its topic back, and takes nothing else."""
    topic = {"type": "object", "properties": {"topic": {"type": "string"}}, "required": ["topic"]}
    steps = [{"name": "Quote", "kind": "transform", "inputMapping": {"said": "<<input.topic>>"}}]
    return {"name": name, "input": {**topic, "additionalProperties": False}, "steps": steps, **fields}


def with_steps(*steps: dict[str, Any]) -> dict[str, Any]:
    """One with these steps; what a step leaves out makes it a transform that gives back 1."""
    filled = [{"kind": "transform", "inputMapping": {"one": 1}, **step} for step in steps]
    return quoting("Wrong", steps=filled)
