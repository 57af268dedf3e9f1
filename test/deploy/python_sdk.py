"""Files, memory, skills, outcomes and teams through the official SDK, which refuses each response that is not as its types say."""

import base64
import json
import time

from anthropic import Anthropic, BadRequestError

client = Anthropic(max_retries=0, _strict_response_validation=True)
beta = client.beta
environment = beta.environments.create(name="python")
TOOLS = [{"type": "agent_toolset_20260401"}]


def agent(**more):
    return beta.agents.create(name="Ada", model="claude-opus-5", tools=TOOLS, **more)


def session_of(agent, resources):
    return beta.sessions.create(agent=agent.id, environment_id=environment.id, resources=resources)


def follow(session, *events):
    """The events until the session is idle."""
    seen = []
    with beta.sessions.events.stream(session.id) as stream:
        beta.sessions.events.send(session.id, events=events)
        for event in stream:
            seen.append(event)
            if event.type == "session.status_idle":
                break
    listed = [event.id for event in beta.sessions.events.list(session.id)]
    assert len(listed) == len(set(listed)) > 0
    return seen


def message(*content):
    return {"type": "user.message", "content": content}


def texts(events, type):
    return "\n".join(block.text for event in events if event.type == type for block in event.content)


def run(session, command):
    """The result of the call that the agent makes."""
    return texts(follow(session, message({"type": "text", "text": command})), "agent.tool_result")


def files():
    upload = beta.files.upload(file=("cities.csv", b"city,people\nOslo,717710\n", "text/csv"))
    assert beta.files.retrieve_metadata(upload.id).filename == "cities.csv"
    session = session_of(agent(), [{"type": "file", "file_id": upload.id, "mount_path": "cities.csv"}])
    command = "tee /mnt/session/outputs/report.md < /mnt/session/uploads/cities.csv"
    assert "Oslo,717710" in run(session, command)
    listed = {file.filename: file for file in beta.files.list(scope_id=session.id)}
    assert set(listed) == {"cities.csv", "report.md"}, listed
    report = listed["report.md"]
    assert report.downloadable and report.scope.id == session.id
    assert beta.files.download(report.id).read() == b"city,people\nOslo,717710\n"
    more = beta.files.upload(file=("more.txt", b"more", "text/plain"))
    added = beta.sessions.resources.add(session.id, type="file", file_id=more.id)
    assert [one.id for one in beta.sessions.resources.list(session.id)][-1] == added.id
    assert "more" in run(session, f"cat {added.mount_path}")
    beta.sessions.resources.delete(added.id, session_id=session.id)
    assert "No such file" in run(session, f"cat {added.mount_path}")
    for file in (upload, more):
        beta.files.delete(file.id)
    beta.sessions.delete(session.id)
    assert list(beta.files.list(scope_id=session.id)) == []


def memory():
    store = beta.memory_stores.create(name="Team notes", description="What we know.")
    beta.memory_stores.memories.create(store.id, path="/style.md", content="Short sentences.")
    resource = {"type": "memory_store", "memory_store_id": store.id}
    first, second = session_of(agent(), [resource]), session_of(agent(), [resource])
    folder = "/mnt/memory/team-notes"
    assert "Short sentences." in run(first, f"cat {folder}/style.md && echo learned > {folder}/new.md")
    assert "learned" in run(second, f"cat {folder}/new.md")
    memories = {one.path: one for one in beta.memory_stores.memories.list(store.id, view="full")}
    assert memories["/new.md"].content == "learned\n"
    versions = list(beta.memory_stores.memory_versions.list(store.id, session_id=first.id))
    assert [version.operation for version in versions] == ["created"]
    beta.memory_stores.archive(store.id)


def skills():
    text = b"---\nname: greet\ndescription: Says how to greet.\n---\nSay ahoy.\n"
    skill = beta.skills.create(files=[("greet/SKILL.md", text)])
    assert [version.name for version in beta.skills.versions.list(skill.id)] == ["greet"]
    user = agent(skills=[{"type": "custom", "skill_id": skill.id}])
    session = session_of(user, [])
    assert "Say ahoy." in run(session, "cat /workspace/skills/greet/SKILL.md")
    beta.skills.delete(skill.id)


PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
PDF = b"%PDF-1.4\n1 0 obj<</Type/Page>>endobj\n"


def files_in_messages():
    session = session_of(agent(), [])
    image = beta.files.upload(file=("pixel.png", base64.b64decode(PIXEL), "image/png"))
    paper = beta.files.upload(file=("paper.pdf", PDF, "application/pdf"))
    tale = beta.files.upload(file=("tale.txt", b"Once upon a time", "text/plain"))
    blocks = [
        {"type": type, "source": {"type": "file", "file_id": file.id}}
        for type, file in (("image", image), ("document", paper), ("document", tale))
    ]
    seen = follow(session, message({"type": "text", "text": "Look."}, *blocks))
    assert json.loads(texts(seen, "agent.message")) == [
        ["image", {"type": "base64", "media_type": "image/png", "data": PIXEL}],
        ["document", {"type": "base64", "media_type": "application/pdf", "data": base64.b64encode(PDF).decode()}],
        ["document", {"type": "text", "media_type": "text/plain", "data": "Once upon a time"}],
    ]
    [sent] = [event for event in beta.sessions.events.list(session.id) if event.type == "user.message"]
    assert [block.source.file_id for block in sent.content[1:]] == [image.id, paper.id, tale.id]
    for file in (image, paper, tale):
        beta.files.delete(file.id)
    # The session keeps what it was shown.
    assert "again" in run(session, "echo again")


REPORT = "/mnt/session/outputs/report.md"


def outcome(rubric, **more):
    description = f"Run `echo one >> {REPORT}`"
    return {"type": "user.define_outcome", "description": description, "rubric": rubric, **more}


def outcomes():
    rubric = beta.files.upload(file=("rubric.md", b"It has two lines.", "text/markdown"))
    session = session_of(agent(), [])
    seen = follow(session, outcome({"type": "file", "file_id": rubric.id}, max_iterations=3))
    ends = [event for event in seen if event.type == "span.outcome_evaluation_end"]
    assert [(end.iteration, end.result) for end in ends] == [(0, "needs_revision"), (1, "satisfied")], ends
    [sent] = [event for event in seen if event.type == "user.define_outcome"]
    assert sent.rubric.content == "It has two lines." and sent.max_iterations == 3
    [shown] = beta.sessions.retrieve(session.id).outcome_evaluations
    assert (shown.outcome_id, shown.result, shown.explanation) == (sent.outcome_id, "satisfied", "Two lines.")

    text = {"type": "text", "content": "It has two lines."}
    roles = {"agent": agent().id, "environment_id": environment.id}
    begun = beta.sessions.create(**roles, initial_events=[outcome(text)])
    assert begun.status == "running" and begun.outcome_evaluations[0].result == "pending"
    try:
        beta.sessions.create(**roles, initial_events=[outcome(text), outcome(text)])
        raise AssertionError("two outcomes were taken")
    except BadRequestError as error:
        assert "initial_events.1" in error.message, error.message
    while beta.sessions.retrieve(begun.id).status != "idle":
        time.sleep(0.1)
    [last] = beta.sessions.retrieve(begun.id).outcome_evaluations
    assert last.result == "satisfied" and last.completed_at is not None


WEATHER = {
    "type": "custom",
    "name": "weather",
    "description": "Tells the weather of a place.",
    "input_schema": {"type": "object", "properties": {"place": {"type": "string"}}},
}


def member(name, tools=TOOLS, **more):
    return beta.agents.create(name=name, model="claude-opus-5", system=f"You are {name}.", tools=tools, **more)


def one(events, type):
    [found] = [event for event in events if event.type == type]
    return found


def coordinator():
    asking = [{**TOOLS[0], "default_config": {"permission_policy": {"type": "always_ask"}}}]
    listed = [member("Ada", [WEATHER]).id, member("Bob", asking).id]
    session = session_of(member("Lead", multiagent={"type": "coordinator", "agents": listed}), [])
    assert [of.name for of in session.agent.multiagent.agents] == ["Ada", "Bob"]
    seen = follow(session, message({"type": "text", "text": "Go."}))
    custom, asked = one(seen, "agent.custom_tool_use"), one(seen, "agent.tool_use")
    assert set(seen[-1].stop_reason.event_ids) == {custom.id, asked.id}, seen[-1]
    threads = {thread.agent.name: thread for thread in beta.sessions.threads.list(session.id)}
    assert custom.session_thread_id == threads["Ada"].id and asked.session_thread_id == threads["Bob"].id
    assert {thread.parent_thread_id for thread in threads.values()} == {None, threads["Lead"].id}
    rain = [{"type": "text", "text": "rain"}]
    answer = {"type": "user.custom_tool_result", "custom_tool_use_id": custom.id, "content": rain}
    waiting = follow(session, answer)[-1].stop_reason
    assert waiting.event_ids == [asked.id], waiting
    seen = follow(session, {"type": "user.tool_confirmation", "tool_use_id": asked.id, "result": "allow"})
    assert seen[-1].stop_reason.type == "end_turn" and "I read: done" in texts(seen, "agent.message"), seen
    events = {name: list(thread_events(session, thread)) for name, thread in threads.items()}
    assert texts(events["Ada"], "agent.message") == "I read: rain"
    ends = [event for of in events.values() for event in of if event.type == "span.model_request_end"]
    spent = sum(end.model_usage.output_tokens for end in ends)
    assert beta.sessions.retrieve(session.id).usage.output_tokens == spent
    ada = threads["Ada"]
    with beta.sessions.threads.events.stream(ada.id, session_id=session.id) as stream:
        archived = beta.sessions.threads.archive(ada.id, session_id=session.id)
        assert archived.status == "terminated" and archived.archived_at is not None
        assert [event.type for event in stream] == ["session.thread_status_terminated"]
    assert beta.sessions.threads.retrieve(ada.id, session_id=session.id).status == "terminated"
    beta.sessions.delete(session.id)


def thread_events(session, thread):
    return beta.sessions.threads.events.list(thread.id, session_id=session.id)


def inline_agent_and_advisor():
    advisor = {"type": "enabled", "model": "claude-opus-5"}
    chief = member("Chief", multiagent={"type": "multiagent_20261001", "advisor": advisor})
    assert chief.multiagent.subagents.inline_agents.type == "enabled"
    session = session_of(chief, [])
    seen = follow(session, message({"type": "text", "text": "Go."}))
    names = [event.agent_name for event in seen if event.type == "session.thread_created"]
    assert names == ["Cleo", "anthropic.advisor"], names
    threads = {thread.agent.type: thread for thread in beta.sessions.threads.list(session.id)}
    assert threads["inline"].agent.name == "Cleo" and threads["inline"].status == "idle"
    assert threads["advisor"].agent.model == "claude-opus-5" and threads["advisor"].status == "terminated"
    for thread in threads.values():
        assert len(list(thread_events(session, thread))) > 5


files()
files_in_messages()
memory()
skills()
outcomes()
coordinator()
inline_agent_and_advisor()
print("done")
