"""Branches, loops, maps and groups: what they run, what their steps see, what they give."""

from tests.engine.play import Answers, Play, failure

PING_PONG = """
steps:
  - {name: Create, kind: tool, tool: t, outputMapping: {draft: "<<output>>"}}
  - name: Duel
    kind: loop
    until: {field: critique.score, operator: ">=", value: "<<context.input.threshold>>"}
    maxIterations: 5
    steps:
      - name: Critic
        kind: tool
        tool: t
        inputMapping: {draft: "<<context.draft>>", round: "<<loop.iteration>>", before: "<<loop.last>>"}
        outputMapping: {critique: "<<output>>"}
      - name: Refine
        kind: tool
        tool: t
        condition: "critique.score < input.threshold"
        inputMapping: {draft: "<<context.draft>>"}
        outputMapping: {draft: "<<output>>"}
output: {draft: "<<context.draft>>", duel: "<<context.Duel>>", refined: "<<steps.Refine.status>>"}
"""


def test_a_loop_goes_on_until_its_condition_holds_and_what_it_writes_goes_out() -> None:
    play = Play(
        PING_PONG,
        {
            "Create": "v1",
            "Critic": Answers([{"score": 3}, {"score": 6}, {"score": 9}]),
            "Duel[0]/Refine": "v2",
            "Duel[1]/Refine": "v3",
        },
        input={"threshold": 8},
    ).run()

    assert play.asked == [
        "Create",
        "Duel[0]/Critic",
        "Duel[0]/Refine",
        "Duel[1]/Critic",
        "Duel[1]/Refine",
        "Duel[2]/Critic",
    ]
    assert [start.input for start in play.starts if start.path.endswith("Critic")] == [
        {"draft": "v1", "round": 1, "before": None},
        {"draft": "v2", "round": 2, "before": "v2"},
        {"draft": "v3", "round": 3, "before": "v3"},
    ]
    assert play.output == {
        "draft": "v3",
        "duel": {"iterations": 3, "stoppedBy": "condition", "last": None},
        "refined": "skipped",
    }


def test_a_loop_without_its_condition_met_stops_at_its_limit() -> None:
    play = Play(PING_PONG, {"Critic": {"score": 1}}, input={"threshold": 8}).run()

    assert play.asked[-1] == "Duel[4]/Refine"
    assert play.state.context["Duel"] == {"iterations": 5, "stoppedBy": "limit", "last": "Duel[4]/Refine"}


def test_a_limit_may_be_a_failure() -> None:
    text = PING_PONG.replace("maxIterations: 5", "maxIterations: 2\n    onLimit: fail")

    assert Play(text, {"Critic": {"score": 1}}, input={"threshold": 8}).run().code == "LOOP_LIMIT"


def test_while_is_tested_before_each_iteration_and_values_are_collected() -> None:
    play = Play(
        """
        steps:
          - name: Count
            kind: loop
            while: "loop.index < input.times"
            maxIterations: 9
            collect: {at: "<<loop.index>>", said: "<<output>>"}
            steps: [{name: Say, kind: tool, tool: t}]
        """,
        {"Say": Answers(["a", "b"])},
        input={"times": 2},
    ).run()

    results = [{"at": 0, "said": "a"}, {"at": 1, "said": "b"}]
    assert play.state.context["Count"] == {
        "iterations": 2, "stoppedBy": "condition", "last": "b", "results": results
    }  # fmt: skip


def test_a_loop_whose_while_never_holds_does_nothing() -> None:
    play = Play(
        """
        steps:
          - {name: Never, kind: loop, while: false, maxIterations: 3, steps: [{name: A, kind: tool, tool: t}]}
        """
    ).run()

    assert play.asked == []
    assert play.state.context["Never"] == {"iterations": 0, "stoppedBy": "condition", "last": None}


ROUTE = """
steps:
  - name: Route
    kind: branch
    cases:
      - {name: high, when: "input.amount > 50", steps: [{name: Ask, kind: tool, tool: t}]}
      - name: low
        when: "input.amount > 10"
        steps: [{name: Pay, kind: tool, tool: t, outputMapping: {paid: "<<output>>"}}]
    else: [{name: Note, kind: transform, inputMapping: {small: true}}]
"""


def test_a_branch_takes_the_first_case_that_holds() -> None:
    high = Play(ROUTE, {"Ask": "yes"}, input={"amount": 60}).run()
    low = Play(ROUTE, {"Pay": 30}, input={"amount": 30}).run()
    small = Play(ROUTE, input={"amount": 5}).run()

    assert high.asked == ["Route/Ask"]
    assert high.state.context["Route"] == {"case": "high", "output": "yes"}
    assert low.state.context == {"input": {"amount": 30}, "paid": 30, "Route": {"case": "low", "output": 30}}
    assert small.state.context["Route"] == {"case": "else", "output": {"small": True}}


def test_a_branch_without_a_case_that_holds_gives_null() -> None:
    text = ROUTE[: ROUTE.index("    else")]

    assert Play(text, input={"amount": 5}).run().state.context["Route"] == {"case": None, "output": None}


def test_weights_take_the_same_way_for_the_same_key_and_share_keys_out() -> None:
    text = """
    steps:
      - name: Split
        kind: branch
        splitBy: "<<input.user>>"
        cases:
          - {name: old, weight: 3, steps: [{name: Old, kind: transform, inputMapping: {}}]}
          - {name: new, weight: 1, steps: [{name: New, kind: transform, inputMapping: {}}]}
    output: {case: "<<context.Split.case>>"}
    """

    def cases() -> list[object]:
        return [Play(text, input={"user": f"user {n}"}).run().output for n in range(200)]

    once = cases()
    assert once == cases()
    assert 20 <= once.count({"case": "new"}) <= 80


def test_without_a_key_every_execution_and_item_takes_a_way_of_its_own() -> None:
    play = Play(
        """
        steps:
          - name: Each
            kind: map
            items: "<<input>>"
            steps:
              - name: Split
                kind: branch
                cases:
                  - {name: old, weight: 1, steps: [{name: Old, kind: transform, inputMapping: {}}]}
                  - {name: new, weight: 1, steps: [{name: New, kind: transform, inputMapping: {}}]}
        output: {ways: "$.context.Each.results[*].case"}
        """,
        input=list(range(40)),
    ).run()

    assert isinstance(play.output, dict)
    assert isinstance(ways := play.output["ways"], list)
    assert set(ways) == {"old", "new"}


EACH = """
steps:
  - name: Each
    kind: map
    items: "<<input.words>>"
    as: word
    maxItems: 5
    maxConcurrency: 2
    steps:
      - name: Look
        kind: tool
        tool: t
        inputMapping: {word: "<<context.word>>", again: "<<item>>", at: "<<loop.index>>"}
      - {name: Shape, kind: transform, inputMapping: {of: "<<context.Look>>"}}
"""


def test_a_map_runs_its_steps_for_each_item_and_keeps_their_order() -> None:
    play = Play(EACH, input={"words": ["a", "b", "c"]})
    assert list(play.waiting) == ["Each[0]/Look", "Each[1]/Look"]

    play.answer("Each[1]/Look")
    assert list(play.waiting) == ["Each[0]/Look", "Each[2]/Look"]
    play.run()

    assert play.starts[2].input == {"word": "c", "again": "c", "at": 2}
    results = [{"of": f"Each[{n}]/Look"} for n in range(3)]
    assert play.state.context == {
        "input": {"words": ["a", "b", "c"]}, "Each": {"results": results, "errors": [], "total": 3}
    }  # fmt: skip


def test_a_map_over_nothing_is_done_at_once() -> None:
    assert Play(EACH, input={"words": []}).run().state.context["Each"] == {"results": [], "errors": [], "total": 0}


def test_a_map_refuses_what_is_no_list_or_too_long() -> None:
    assert Play(EACH, input={"words": "abc"}).run().code == "INPUT_INVALID"
    assert Play(EACH, input={"words": list("abcdef")}).run().code == "INPUT_INVALID"


def test_a_failed_item_fails_the_map_and_stops_the_others() -> None:
    play = Play(EACH, {"Each[0]/Look": failure()}, input={"words": ["a", "b", "c"]})

    play.answer("Each[0]/Look")

    assert play.code == "TOOL_ERROR"
    assert play.stopped == ["Each[1]/Look"]
    assert play.state.failure == failure()


def test_failed_items_may_be_dropped_or_stand_as_null() -> None:
    answers = {"Each[1]/Look": failure()}
    words = {"words": ["a", "b", "c"]}
    error = {"index": 1, "code": "TOOL_ERROR", "message": "no"}
    kept = [{"of": "Each[0]/Look"}, {"of": "Each[2]/Look"}]

    dropped = Play(EACH + "    onItemError: drop", answers, words).run()
    nulled = Play(EACH + '    onItemError: "null"', answers, words).run()
    strict = Play(EACH + "    onItemError: drop\n    tolerate: {count: 0}", answers, words).run()
    third = Play(EACH + "    onItemError: drop\n    tolerate: {percent: 33}", answers, words).run()

    assert dropped.state.context["Each"] == {"results": kept, "errors": [error], "total": 3}
    assert nulled.state.context["Each"] == {"results": [kept[0], None, kept[1]], "errors": [error], "total": 3}
    assert strict.code == "TOOL_ERROR"
    assert third.code == "TOOL_ERROR"


def test_members_of_several_steps_run_beside_each_other() -> None:
    play = Play(
        """
        steps:
          - name: Left
            kind: group
            parallelGroup: both
            steps:
              - {name: L1, kind: tool, tool: t, outputMapping: {left: "<<output>>"}}
              - {name: L2, kind: tool, tool: t, inputMapping: {from: "<<context.left>>", right: "<<context.R1?>>"}}
          - {name: R1, kind: tool, tool: t, parallelGroup: both}
          - {name: Last, kind: transform, inputMapping: {both: "<<output>>", left: "<<context.left>>"}}
        """
    )

    assert sorted(play.waiting) == ["Left/L1", "R1"]
    play.answer("R1")
    play.answer("Left/L1")

    # What runs beside it is not seen, however far it has come.
    assert play.starts[-1].input == {"from": "Left/L1", "right": None}
    play.run()
    assert play.state.context["Last"] == {"both": {"Left": "Left/L2", "R1": "R1"}, "left": "Left/L1"}


def test_blocks_stand_in_blocks() -> None:
    play = Play(
        """
        steps:
          - name: Each
            kind: map
            items: "<<input>>"
            steps:
              - name: Twice
                kind: loop
                maxIterations: 2
                steps:
                  - name: Which
                    kind: branch
                    cases: [{name: odd, when: "item == 1", steps: [{name: Odd, kind: tool, tool: t}]}]
                    else: [{name: Even, kind: tool, tool: t}]
        output: {all: "$.context.Each.results[*].last.case"}
        """,
        input=[1, 2],
    ).run()

    assert play.asked == [
        "Each[0]/Twice[0]/Which/Odd",
        "Each[1]/Twice[0]/Which/Even",
        "Each[0]/Twice[1]/Which/Odd",
        "Each[1]/Twice[1]/Which/Even",
    ]
    assert play.output == {"all": ["odd", "else"]}


def test_a_skipped_block_skips_what_is_in_it() -> None:
    play = Play("steps: [{name: G, kind: group, condition: false, steps: [{name: A, kind: tool, tool: t}]}]").run()

    assert play.asked == []
    assert play.state.context == {"input": None, "G": None}


def test_fail_ends_the_execution_as_failed_and_stop_as_completed() -> None:
    text = """
    steps:
      - {name: A, kind: transform, inputMapping: {n: "<<input.n>>"}}
      - name: Route
        kind: branch
        cases:
          - name: bad
            when: "input.n < 0"
            steps: [{name: Bad, kind: fail, code: NEGATIVE, message: "<<input.n>> is too small"}]
          - {name: none, when: "input.n == 0", steps: [{name: Nothing, kind: stop, output: {n: "<<context.A.n>>"}}]}
      - {name: B, kind: tool, tool: t}
    """
    bad, none = Play(text, input={"n": -1}).run(), Play(text, input={"n": 0}).run()

    assert bad.state.failure == failure("NEGATIVE", "-1 is too small")
    assert bad.asked == []
    assert none.output == {"n": 0}
    assert none.asked == []


def test_stop_stops_what_runs_beside_it() -> None:
    play = Play(
        """
        steps:
          - {name: Slow, kind: tool, tool: t, parallelGroup: g}
          - name: Quick
            kind: group
            parallelGroup: g
            steps: [{name: Look, kind: tool, tool: t}, {name: Enough, kind: stop, output: "<<context.Look>>"}]
        """
    )

    play.answer("Quick/Look")

    assert sorted(play.stopped) == ["Quick", "Slow"]
    assert play.output == "Quick/Look"


def test_a_wait_is_asked_for_once_its_time_is_known() -> None:
    play = Play(
        "steps: [{name: Pause, kind: wait, forMs: '<<input.ms>>'}, {name: A, kind: tool, tool: t}]", input={"ms": 50}
    )

    assert play.state.steps["Pause"].status == "waiting"
    assert (play.starts[0].path, play.starts[0].delay_ms) == ("Pause", 50)
    assert play.run().asked == ["Pause", "A"]
    assert Play("steps: [{name: Pause, kind: wait, forMs: '<<input>>'}]", input="soon").run().code == "INPUT_INVALID"


def test_a_loop_that_overwrites_a_large_value_does_not_fill_the_context() -> None:
    half = "x" * 600_000
    play = Play(
        """
        steps:
          - name: Again
            kind: loop
            maxIterations: 4
            outputMapping: {}
            steps: [{name: Write, kind: tool, tool: t, outputMapping: {draft: "<<output>>"}}]
        output: {}
        """,
        {"Write": half},
    ).run()

    assert play.output == {}
