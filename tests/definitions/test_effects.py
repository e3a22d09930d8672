"""What executions can do to the world outside, told from the document, its roles and the tools there are."""

from services.definitions.document import Case, Catch, Document, Fallback, Step
from services.definitions.effects import Effect, ToolTraits, Wishes, effects_of

TOOLS = {
    "files.read": ToolTraits(effect="read", security="low"),
    "files.write": ToolTraits(effect="write", security="medium"),
    "shop.pay": ToolTraits(),
    "system.create_role": ToolTraits(tags=frozenset({"meta"}), effect="write", security="medium"),
}


def effects(*steps: Step, **roles: Wishes) -> list[tuple[str, str, tuple[str, ...]]]:
    found = effects_of(Document(name="flow", steps=steps), roles, TOOLS)
    return [(effect.kind, effect.name, effect.steps) for effect in found]


def test_steps_that_compute_reach_nothing() -> None:
    assert effects(Step(name="A", kind="transform"), Step(name="B", kind="stop", output="https://example.com")) == []


def test_each_kind_of_step_reaches_what_it_names() -> None:
    assert effects(
        Step(name="Pay", kind="tool", tool="shop.pay"),
        Step(name="Call", kind="orchestration", orchestration="Brief", version=3),
        Step(name="Compute", kind="code", language="python"),
        Step(name="Arrival", kind="wait", event="parcel"),
        Step(name="Nap", kind="wait", for_ms=10),
    ) == [
        ("code", "python", ("Compute",)),
        ("event", "parcel", ("Arrival",)),
        ("orchestration", "Brief@3", ("Call",)),
        ("tool", "shop.pay", ("Pay",)),
    ]


def test_an_agent_reaches_what_its_role_grants() -> None:
    wishes = Wishes(tools=("files.*", "meta"), models=("openai/gpt-6", "ollama"))

    assert effects(Step(name="Work", kind="agent", role_name="Writer"), Writer=wishes) == [
        ("model", "ollama", ("Work",)),
        ("model", "openai/gpt-6", ("Work",)),
        ("tool", "files.read", ("Work",)),
        ("tool", "files.write", ("Work",)),
        ("tool", "system.create_role", ("Work",)),
    ]


def test_a_tag_is_the_only_way_to_what_carries_it() -> None:
    everything = Wishes(tools=("*",))

    assert ("tool", "system.create_role", ("Work",)) not in effects(
        Step(name="Work", kind="agent", role_name="Writer"), Writer=everything
    )


def test_a_step_narrows_what_its_role_grants_and_adds_nothing() -> None:
    wishes = Wishes(tools=("files.*",))
    step = Step(name="Work", kind="agent", role_name="Writer", tools=("files.read", "shop.pay"))

    assert effects(step, Writer=wishes) == [("model", "*", ("Work",)), ("tool", "files.read", ("Work",))]


def test_a_model_call_has_no_tools_and_a_role_that_is_not_there_has_nothing() -> None:
    assert effects(
        Step(name="Ask", kind="llm", role_name="Writer"),
        Step(name="Lost", kind="agent", role_name="Nobody"),
        Writer=Wishes(tools=("files.*",)),
    ) == [("model", "*", ("Ask",))]


def test_hosts_are_seen_where_they_are_written_down() -> None:
    given = {"url": "https://Api.example.com:8443/v1?x=<<input.x>>", "more": [{"see": "see http://b.example/, please"}]}

    assert effects(
        Step(name="Fetch", kind="tool", tool="shop.pay", input_mapping=given),
        Step(name="Hook", kind="webhook", direction="send", url="https://user:word@hooks.example.com/<<input.id>>"),
        Step(name="Where", kind="webhook", direction="send", url="<<input.url>>"),
        Step(name="Which", kind="webhook", direction="send", url="https://<<input.host | lower>>.example.com/a/b"),
        Step(name="Back", kind="webhook", direction="receive"),
    ) == [
        ("domain", "*", ("Where", "Which")),
        ("domain", "api.example.com:8443", ("Fetch",)),
        ("domain", "b.example", ("Fetch",)),
        ("domain", "hooks.example.com", ("Hook",)),
        ("tool", "shop.pay", ("Fetch",)),
    ]


def test_steps_that_only_may_run_count_as_well() -> None:
    pay = {"kind": "tool", "tool": "shop.pay"}
    branch = Step(name="If", kind="branch", cases=(Case(name="yes", when=True, steps=(Step(name="A", **pay),)),))
    risky = Step(
        name="Risky",
        kind="tool",
        tool="files.read",
        on_error=Fallback(catch=(Catch(steps=(Step(name="B", **pay),)),)),
        compensate=(Step(name="C", **pay),),
    )
    document = Document(
        name="flow", steps=(branch, risky), on_failure=(Step(name="D", **pay),), finally_=(Step(name="E", **pay),)
    )

    assert effects_of(document, {}, TOOLS)[-1] == Effect(kind="tool", name="shop.pay", steps=("A", "B", "C", "D", "E"))


def test_a_tool_shows_its_tags_and_how_far_it_reaches() -> None:
    document = Document(name="flow", steps=(Step(name="Work", kind="agent", role_name="Lead"),))

    found = effects_of(document, {"Lead": Wishes(tools=("meta",), models=("offline",))}, TOOLS)

    assert found[1] == Effect(
        kind="tool", name="system.create_role", steps=("Work",), tags=("meta",), effect="write", security="medium"
    )
