"""Instance paths: where in an execution a step stands.

A step of the main sequence has its name as its path. A step inside another stands behind the path of its *frame*, the
one run through the block that holds it: `Route/Pay` in a branch, `Duel[2]/Critic` in the third iteration of a loop.
A frame's path ends with a slash; the frame of the main sequence has the empty one.
"""

MAIN = ""


def frame_of(path: str) -> str:
    """The path of the frame that a step stands in.

    >>> frame_of("Each[3]/Duel[0]/Critic"), frame_of("Plan")
    ('Each[3]/Duel[0]/', '')
    """
    return path[: path.rfind("/") + 1]


def name_of(path: str) -> str:
    """The name of the step at a path.

    >>> name_of("Each[3]/Duel[0]/Critic")
    'Critic'
    """
    return path[path.rfind("/") + 1 :]


def owner_of(frame: str) -> str:
    """The path of the step whose block a frame is a run of.

    >>> owner_of("Each[3]/Duel[0]/"), owner_of("Route/")
    ('Each[3]/Duel', 'Route')
    """
    last = frame[:-1]
    return last[: last.rfind("[")] if last.endswith("]") else last


def index_of(frame: str) -> int:
    """Which iteration or item a frame is, from 0.

    >>> index_of("Each[3]/Duel[12]/")
    12
    """
    return int(frame[frame.rfind("[") + 1 : -2])


def is_numbered(frame: str) -> bool:
    """Whether a frame is that of an iteration or an item.

    >>> is_numbered("Each[3]/"), is_numbered("Route/")
    (True, False)
    """
    return frame.endswith("]/")


def numbered(path: str, index: int) -> str:
    """The frame of an iteration or an item.

    >>> numbered("Each[3]/Duel", 0)
    'Each[3]/Duel[0]/'
    """
    return f"{path}[{index}]/"


def is_within(path: str, owner: str) -> bool:
    """Whether a step or a frame stands inside the step at `owner`.

    >>> is_within("Duel[0]/Critic", "Duel"), is_within("Duel", "Duel"), is_within("Duels/A", "Duel")
    (True, False, False)
    """
    return path.startswith(owner) and path[len(owner) : len(owner) + 1] in ("/", "[")
