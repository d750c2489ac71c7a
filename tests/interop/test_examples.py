"""The examples: each is started, tried as docs/examples.md says, and must end well."""

import asyncio
import re
import signal
import subprocess
import time

import pytest

import servers

asyncssh = pytest.importorskip("asyncssh")


class Example:
    def __init__(self, name, directory):
        self.out = directory / "out"
        self.err = directory / "err"
        with open(self.out, "w") as out, open(self.err, "w") as err:
            self.process = subprocess.Popen([servers.built("examples", name), "0"], stdout=out,
                                            stderr=err, stdin=subprocess.DEVNULL)
        end = time.monotonic() + 30
        while "\n" not in self.out.read_text() and time.monotonic() < end:
            time.sleep(0.02)
        found = re.match(r"listening on 127\.0\.0\.1:(\d+)\n", self.out.read_text())
        assert found, self.err.read_text()
        self.port = int(found.group(1))

    def connect(self, username, **more):
        return asyncssh.connect("127.0.0.1", self.port, username=username, known_hosts=None,
                                client_keys=None, agent_path=None, config=None, **more)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=30)
        assert (code, self.err.read_text()) == (0, "")


@pytest.fixture
def example(tmp_path):
    running = []

    def start(name):
        running.append(Example(name, tmp_path))
        return running[-1]
    yield start
    for one in running:
        one.stop()


def refused(example, username, **more):
    async def attempt():
        async with example.connect(username, **more):
            pass
    # The second: a client that goes on until it is sent away.
    with pytest.raises((asyncssh.PermissionDenied, asyncssh.ProtocolError)):
        asyncio.run(attempt())


def said(example, username, **more):
    async def attempt():
        async with example.connect(username, **more) as conn:
            return (await conn.run()).stdout
    return asyncio.run(attempt())


def test_smallest_server(example):
    server = example("smallest_server")
    assert said(server, "guest") == "Hello, guest!\r\n"
    refused(server, "somebody")


def test_password(example):
    server = example("password")
    for method in ("password", "keyboard-interactive"):
        assert said(server, "alice", password="wonderland",
                    preferred_auth=method) == "You are alice.\r\n"
        refused(server, "alice", password="Wonderland", preferred_auth=method)
        refused(server, "mallory", password="wonderland", preferred_auth=method)


class Changer(asyncssh.SSHClient):
    """Wants too short a password first."""
    asked = []

    def password_change_requested(self, prompt, lang):
        self.asked.append(prompt)
        return "old", "short" if len(self.asked) == 1 else "long enough"


def test_password_change(example):
    server = example("password")
    Changer.asked = []
    assert said(server, "bob", password="old", preferred_auth="password",
                client_factory=Changer) == "You are bob.\r\n"
    assert [text[:9] for text in Changer.asked] == ["Choose a ", "Too short"]
    refused(server, "bob", password="old", preferred_auth="password")
    assert said(server, "bob", password="long enough") == "You are bob.\r\n"


def test_slow_answer(example):
    """Three logins at once take as long as one, not three times as long."""
    server = example("slow_answer")

    async def log_in(name):
        async with server.connect(name, password="slow", preferred_auth="password") as conn:
            return (await conn.run()).stdout

    async def all_three():
        return await asyncio.gather(*(log_in(name) for name in "abc"))
    start = time.monotonic()
    assert asyncio.run(all_three()) == [f"You are {name}.\r\n" for name in "abc"]
    assert 4 <= time.monotonic() - start < 10


def test_slow_answer_to_one_who_left(example):
    server = example("slow_answer")

    async def leave(after):
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(server.connect("a", password="slow"), after)

    async def some():
        await asyncio.gather(leave(0.5), leave(3))
    asyncio.run(some())


def code_typist(server, wrong):
    class Typist(asyncssh.SSHClient):
        rounds = 0

        def kbdint_auth_requested(self):
            return ""

        def kbdint_challenge_received(self, name, instructions, lang, prompts):
            self.rounds += 1
            assert prompts == [("Code: ", True)]
            code = re.findall(r"^code for \w+: (\d{6})$", server.out.read_text(), re.M)[-1]
            return ["wrong" if self.rounds <= wrong else code]
    return Typist


@pytest.mark.parametrize("user, wrong, inside", [
    ("alice", 0, True), ("alice", 2, True), ("alice", 3, False), ("eve", 0, False),
])
def test_one_time_code(example, user, wrong, inside):
    server = example("one_time_code")
    factory = code_typist(server, wrong)
    if inside:
        assert said(server, user, client_factory=factory) == f"You are {user}.\r\n"
    else:
        refused(server, user, client_factory=factory)


async def heard(process, text):
    """Reads until `text` has come."""
    got = ""
    while text not in got:
        more = await asyncio.wait_for(process.stdout.read(1000), 10)
        assert more, f"the end came before {text!r}: {got!r}"
        got += more
    return got


def test_chat_room(example):
    server = example("chat_room")

    async def talk():
        async with server.connect("ann") as ann, server.connect("bob") as bob:
            # ann has no terminal, bob has one.
            a = await ann.create_process()
            await heard(a, "ann came in\r\n")
            b = await bob.create_process(term_type="vt100")
            await heard(a, "bob came in\r\n")
            await heard(b, "bob came in\r\n")
            a.stdin.write("hello all\n")
            await heard(b, "\r\033[Kann: hello all\r\n")
            b.stdin.write("hix\x7f")
            await heard(b, "hix\b \b")
            a.stdin.write("still there?\n")
            await heard(b, "ann: still there?\r\nhi")
            b.stdin.write("\033[A\r")
            assert await heard(b, "\r\n") == "[A\r\033[Kbob: hi[A\r\n"
            await heard(a, "bob: hi[A\r\n")
            b.stdin.write("\x03")
            await asyncio.wait_for(b.wait(), 10)
            a.stdin.write("alone\n")
            await heard(a, "ann: alone\r\n")
    asyncio.run(talk())
