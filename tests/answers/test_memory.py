"""What a process remembers: not longer, not more and not larger than it should."""

from services.answers.memory import Memory


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_an_answer_is_kept_until_its_time_is_over_or_that_of_who_asks() -> None:
    clock = Clock()
    memory = Memory(clock=clock)
    memory.put("a", b"yes", age_seconds=5, left_seconds=10)

    fresh = memory.get("a", ttl_seconds=60), memory.get("a", ttl_seconds=5)
    clock.now += 9.5
    old = memory.get("a", ttl_seconds=60), memory.get("a", ttl_seconds=14)
    clock.now += 0.5

    assert (fresh, old) == ((b"yes", None), (b"yes", None))
    assert memory.get("a", ttl_seconds=60) is None


def test_what_was_not_asked_for_the_longest_goes_first() -> None:
    memory = Memory(max_answers=2)
    for key in ("a", "b"):
        memory.put(key, key.encode(), age_seconds=0, left_seconds=10)
    memory.get("a", ttl_seconds=60)
    memory.put("c", b"c", age_seconds=0, left_seconds=10)

    assert [memory.get(key, ttl_seconds=60) for key in ("a", "b", "c")] == [b"a", None, b"c"]


def test_all_of_it_together_stays_within_its_bytes() -> None:
    memory = Memory(max_bytes=10)
    memory.put("a", b"12345", age_seconds=0, left_seconds=10)
    memory.put("a", b"1234567", age_seconds=0, left_seconds=10)
    memory.put("large", b"12345678901", age_seconds=0, left_seconds=10)
    before = memory.get("a", ttl_seconds=60)
    memory.put("b", b"1234", age_seconds=0, left_seconds=10)

    assert before == b"1234567"
    assert [memory.get(key, ttl_seconds=60) for key in ("a", "b", "large")] == [None, b"1234", None]


def test_what_is_over_already_is_not_kept() -> None:
    memory = Memory()
    memory.put("a", b"late", age_seconds=0, left_seconds=0)

    assert memory.get("a", ttl_seconds=60) is None
