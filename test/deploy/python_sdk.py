"""Files, memory and skills through the official SDK, which refuses each response that is not as its types say."""

from anthropic import Anthropic

client = Anthropic(max_retries=0, _strict_response_validation=True)
beta = client.beta
environment = beta.environments.create(name="python")
TOOLS = [{"type": "agent_toolset_20260401"}]


def agent(**more):
    return beta.agents.create(name="Ada", model="claude-opus-5", tools=TOOLS, **more)


def session_of(agent, resources):
    return beta.sessions.create(agent=agent.id, environment_id=environment.id, resources=resources)


def run(session, command):
    """The result of the call that the agent makes."""
    results = []
    with beta.sessions.events.stream(session.id) as stream:
        message = {"type": "user.message", "content": [{"type": "text", "text": command}]}
        beta.sessions.events.send(session.id, events=[message])
        for event in stream:
            if event.type == "agent.tool_result":
                results += [block.text for block in event.content]
            if event.type == "session.status_idle":
                break
    listed = [event.id for event in beta.sessions.events.list(session.id)]
    assert len(listed) == len(set(listed)) > 0
    return "\n".join(results)


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


files()
memory()
skills()
print("done")
