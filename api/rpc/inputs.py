"""The inputs of a request's calls: one JSON text, read once, decoded call by call as each asks for its own."""

from functools import cached_property
from typing import Any

import msgspec

from api.rpc.codes import RpcError
from api.rpc.problems import explained, missing_input
from api.rpc.procedure import Procedure
from api.rpc.text import MAX_DEPTH, check_text, check_values


class Inputs:
    """The text of a request's input: None when there is none, an error when it could not be had.

    Whatever is wrong with it is told to each call that reads its input, and to no other.
    """

    def __init__(self, text: bytes | RpcError | None, *, batch: bool, max_depth: int = MAX_DEPTH) -> None:
        self._text = text
        self._batch = batch
        self._max_depth = max_depth

    def of(self, index: int) -> bytes | None:
        """The JSON text of one call's input; None when the call has none, which is not the same as `null`.

        Raises:
            RpcError: the text is too large, broken, or no object of inputs by index though this is a batch.
        """
        if isinstance(self._members, RpcError):
            raise self._members
        return self._members.get(str(index))

    @cached_property
    def _members(self) -> dict[str, bytes] | RpcError:
        if isinstance(self._text, RpcError):
            return self._text
        if not self._text:
            return {}
        try:
            check_text(self._text, max_depth=self._max_depth + self._batch)
            return _by_index(self._text) if self._batch else {"0": self._text}
        except RpcError as error:
            return error


def read_input(procedure: Procedure[..., Any], text: bytes | None) -> msgspec.Struct | None:
    """The input a procedure takes, out of the JSON text of one call.

    Raises:
        RpcError: BAD_REQUEST that says what is wrong, where, and what would have been accepted.
    """
    if procedure.input_type is None or procedure.decoder is None:
        return None
    if text is None:
        if procedure.needs_input:
            raise missing_input(procedure.input_type)
        return procedure.input_type()
    value = _decoded(procedure.decoder, text)
    check_values(text, value)
    return value


def resumed(procedure: Procedure[..., Any], text: bytes | None, last_event_id: str | None) -> bytes | None:
    """The input of a subscription that goes on behind an item, where the procedure can; else the input as it is.

    What is broken or no object is left to whoever reads it.
    """
    if not last_event_id or not procedure.resumes:
        return text
    try:
        members = msgspec.json.decode(text, type=dict[str, msgspec.Raw] | None) if text else None
    except (msgspec.DecodeError, RecursionError):
        return text
    return msgspec.json.encode({**(members or {}), "lastEventId": last_event_id})


def _decoded(decoder: msgspec.json.Decoder[msgspec.Struct], text: bytes) -> msgspec.Struct:
    try:
        return decoder.decode(text)
    except msgspec.ValidationError as error:
        finding = error
    except (msgspec.DecodeError, RecursionError) as error:
        raise _malformed(error) from None
    try:
        raise explained(finding, decoder.type, msgspec.json.decode(text))
    except (msgspec.DecodeError, RecursionError) as error:
        # The typed decoder stops at its first finding; behind it the text may be broken as well.
        raise _malformed(error) from None


def _by_index(text: bytes) -> dict[str, bytes]:
    try:
        members = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
    except msgspec.ValidationError:
        raise RpcError("BAD_REQUEST", '"input" needs to be an object when doing a batch call') from None
    except (msgspec.DecodeError, RecursionError) as error:
        raise _malformed(error) from None
    return {index: bytes(member) for index, member in members.items()}


def _malformed(error: Exception) -> RpcError:
    return RpcError("BAD_REQUEST", f"the input is not JSON: {error}")
