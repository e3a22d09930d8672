"""The breaker of a model: when it opens, when it lets one call try, and what it says meanwhile."""

from hypothesis import given
from hypothesis import strategies as st

from services.models.breaker import OPENS_AFTER, Breaker
from services.models.health import Health


class Clock:
    """Stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def opened() -> tuple[Breaker, Clock]:
    clock = Clock()
    breaker = Breaker(clock=clock)
    for _ in range(OPENS_AFTER):
        assert breaker.admits()
        breaker.failed("MODEL_ERROR")
    return breaker, clock


def test_what_nobody_has_called_is_unknown_and_what_answers_is_up() -> None:
    breaker = Breaker(clock=Clock())

    assert breaker.health() == Health(state="unknown")
    breaker.worked(2.0)
    assert breaker.health() == Health(state="up", seconds=2.0)


def test_it_opens_at_the_fifth_failure_in_a_row_and_says_why() -> None:
    breaker, _ = opened()

    assert not breaker.admits()
    assert breaker.health() == Health(
        state="down",
        reason="its last 5 calls failed: MODEL_ERROR",
        retry_after_seconds=10.0,
        failure_rate=0.672,
    )


def test_an_answer_in_between_keeps_it_closed() -> None:
    breaker = Breaker(clock=Clock())

    for _ in range(3):
        for _ in range(OPENS_AFTER - 1):
            breaker.failed("MODEL_ERROR")
        breaker.worked(1.0)

    assert breaker.admits()


def test_after_the_pause_one_call_may_try_and_its_answer_lets_all_go_on() -> None:
    breaker, clock = opened()
    clock.now += 10.0

    assert [breaker.admits(), breaker.admits()] == [True, False]
    assert breaker.health().state == "down"
    breaker.worked(1.0)
    assert [breaker.admits(), breaker.admits()] == [True, True]
    assert breaker.health().state == "up"


def test_each_try_that_fails_doubles_the_pause_up_to_two_minutes() -> None:
    breaker, clock = opened()

    pauses: list[float | None] = []
    for _ in range(6):
        pauses.append(breaker.health().retry_after_seconds)
        clock.now += pauses[-1] or 0.0
        assert breaker.admits()
        breaker.failed("TIMEOUT")

    assert pauses == [10.0, 20.0, 40.0, 80.0, 120.0, 120.0]


def test_a_try_that_was_given_up_leaves_the_next_one_to_try() -> None:
    breaker, clock = opened()
    clock.now += 10.0

    assert breaker.admits()
    breaker.abandoned()

    assert breaker.admits()


def test_who_often_fails_is_degraded_until_nothing_was_heard_of_that_for_a_minute() -> None:
    clock = Clock()
    breaker = Breaker(clock=clock)
    for _ in range(6):
        breaker.worked(1.0)
        breaker.failed("MODEL_ERROR")

    assert (breaker.health().state, breaker.health().reason) == (
        "degraded",
        "too many of its calls have failed lately",
    )
    clock.now += 60.0
    assert breaker.health().state == "up"


def test_who_takes_much_longer_than_usual_is_degraded() -> None:
    breaker = Breaker(clock=Clock())
    for _ in range(50):
        breaker.worked(2.0)
    for _ in range(10):
        breaker.worked(20.0)

    assert breaker.health().reason == "its answers take much longer than usual"


@given(st.lists(st.sampled_from(["works", "fails", "is given up", "time passes"]), max_size=60))
def test_it_never_stays_closed_over_five_failures_nor_open_for_ever(story: list[str]) -> None:
    clock = Clock()
    breaker = Breaker(clock=clock)
    in_a_row = 0
    for event in story:
        if event == "time passes":
            clock.now += 120.0
            continue
        if not breaker.admits():
            assert in_a_row >= OPENS_AFTER
            assert breaker.health().state == "down"
            continue
        if event == "works":
            breaker.worked(1.0)
            in_a_row = 0
        elif event == "fails":
            breaker.failed("MODEL_ERROR")
            in_a_row += 1
        else:
            breaker.abandoned()

    clock.now += 120.0
    assert breaker.admits()
