"""What the tests of direct style share: the server that they start (tests/tools/direct_server.c), and
sessions with it, with and without a terminal."""

import asyncio
import contextlib
import os

import pytest

from clients import OpenSSH
from rawssh import (
    CHANNEL_OPEN,
    CHANNEL_REQUEST,
    CHANNEL_SUCCESS,
    OPEN_CONFIRMATION,
    Reader,
    boolean,
    string,
    u32,
)
from servers import PATIENCE, Program, built, wait_until

asyncssh = pytest.importorskip("asyncssh")

ECONN, EOF, ESIGNAL = -5, -24, -25


class DirectServer(Program):
    """tests/tools/direct_server"""

    def __init__(self, *arguments):
        super().__init__([built("tools", "direct_server"), *arguments])
        line = self.out.wait(lambda text: text.startswith("listening on "))
        self.port = int(line.rsplit(":", 1)[1])

    def mark(self):
        with self.out.condition:
            return len(self.out.items)

    def said(self, text, start=0, times=1):
        """Waits until a line was said so many times."""
        seen = 0

        def wanted(line):
            nonlocal seen
            seen += line == text
            return seen >= times

        return self.out.wait(wanted, start=start)

    def stats(self):
        start = self.mark()
        self.tell("stats")
        line = self.out.wait(lambda text: text.startswith("stats "), start=start)
        fibers, channels, connections, held = (int(word) for word in line.split()[1:])
        return {"fibers": fibers, "channels": channels, "connections": connections, "bytes": held}

    def settle(self, **wanted):
        """The statistics, when these values are reached."""
        def reached():
            stats = self.stats()
            return stats if all(stats[n] == value for n, value in wanted.items()) else None

        return wait_until(reached, lambda: str(self.stats()))

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def close(self):
        code = self.finish(self.process.stdin.close)
        assert code == 0, f"direct_server ended with {code}"
        assert self.out.items[-1] == "bytes 0"  # all memory is back


@pytest.fixture
def start_direct():
    running = []

    def start(*arguments):
        running.append(DirectServer(*arguments))
        return running[-1]

    yield start
    for server in running:
        server.close()


@pytest.fixture
def direct(start_direct):
    return start_direct()


@pytest.fixture(scope="module")
def openssh(tmp_path_factory, keys):
    return OpenSSH(tmp_path_factory.mktemp("openssh"), keys)


def run(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, 3 * PATIENCE))


def connect(server, user="user"):
    return asyncssh.connect(
        "127.0.0.1", server.port, username=user, known_hosts=None, client_keys=None, config=None,
        agent_path=None,
    )


def session(raw, command=None, number=7):
    raw.send(bytes([CHANNEL_OPEN]) + string("session") + u32(number) + u32(1 << 20) + u32(32768))
    reply = Reader(raw.expect(OPEN_CONFIRMATION)[1:])
    reply.u32()
    theirs = reply.u32()
    if command is not None:
        raw.send(
            bytes([CHANNEL_REQUEST]) + u32(theirs) + string("exec") + boolean(True) + string(command)
        )
        raw.expect(CHANNEL_SUCCESS)
    return theirs


class Screen:
    """A session on a terminal, by AsyncSSH: what is typed, and all that was shown."""

    def __init__(self, process):
        self.process = process
        self.text = ""

    async def shows(self, text, more=0):
        """Reads until this was shown since the last such call, and returns what was."""
        while text not in self.text:
            piece = await self.process.stdout.read(4096)
            assert piece, f"never shown: {text!r}; but {self.text!r}"
            self.text += piece
        at = self.text.index(text) + len(text)
        shown, self.text = self.text[:at], self.text[at:]
        return shown

    async def rest(self):
        return self.text + await self.process.stdout.read()

    def types(self, text):
        self.process.stdin.write(text)


@contextlib.asynccontextmanager
async def screen(server, command=None, user="user"):
    async with connect(server, user) as conn:
        process = await conn.create_process(command, term_type="xterm", term_size=(80, 24))
        yield Screen(process)
