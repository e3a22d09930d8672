"""What is given on the command line: JSON, or a file that holds it."""

from pathlib import Path

import msgspec

from api.cli.mendable import Unusable
from services.json import Json


def json_of(option: str, given: str) -> Json:
    """The JSON that an option says, or that stands in the file behind its `@`.

    >>> json_of("--input", '{"topic": "tea"}')
    {'topic': 'tea'}

    Raises:
        Unusable: it is none, or the file cannot be read.
    """
    text = content_of(Path(given[1:])) if given.startswith("@") else given
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        source = given if given.startswith("@") else option
        raise Unusable(f"{source} is not JSON: {error}") from None


def content_of(file: Path) -> bytes:
    """What stands in a file.

    Raises:
        Unusable: it cannot be read.
    """
    try:
        return file.read_bytes()
    except OSError as error:
        raise Unusable(f"cannot read {file}: {error.strerror}") from None
