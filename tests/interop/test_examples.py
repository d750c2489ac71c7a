"""Each example does what it says."""

import asyncio
import os
import re
import subprocess

import pytest

from clients import OpenSSH
from clients import Kbdint, Nothing, Password
from rawssh import Raw, failure
from servers import PATIENCE, Example, built

NAMES = sorted(
    name[:-2]
    for name in os.listdir(os.path.join(os.path.dirname(__file__), "..", "..", "examples"))
    if name.endswith(".c")
)


@pytest.fixture(scope="module")
def openssh(tmp_path_factory, keys):
    return OpenSSH(tmp_path_factory.mktemp("openssh"), keys)


@pytest.mark.parametrize("name", NAMES)
def test_example_starts_and_stops(name):
    with Example(name) as server, Raw(server.port) as raw:
        raw.handshake()


@pytest.mark.parametrize("name", NAMES)
def test_example_is_short(name):
    path = os.path.join(os.path.dirname(__file__), "..", "..", "examples", name + ".c")
    with open(path, encoding="utf-8") as file:
        assert len(file.readlines()) < 80


def test_smallest_server(openssh):
    with Example("smallest_server") as server:
        result = openssh.run(server, user="guest", auth=Nothing())
        assert (result.code, result.text) == (0, "Hello, guest!\r\n")
        assert openssh.run(server, user="other", auth=Nothing()).code == 255


def test_password(openssh):
    with Example("password") as server:
        assert openssh.run(server, user="alice", auth=Password("wonderland")).code == 0
        assert openssh.run(server, user="alice", auth=Kbdint(["wonderland"])).code == 0
        assert openssh.run(server, user="alice", auth=Password("wrong")).code == 255
        assert openssh.run(server, user="bob", auth=Password("old", new="brand-new-1")).code == 0
        assert openssh.run(server, user="bob", auth=Password("brand-new-1")).code == 0
        assert openssh.run(server, user="bob", auth=Password("old")).code == 255


def test_slow_answer(openssh):
    """While one client waits for its answer, another one is served."""
    with Example("slow_answer") as server:
        slow = Raw(server.port)
        slow.handshake()
        slow.service()
        slow.request("first", "none")
        with Raw(server.port) as other:
            other.handshake()  # answered while the first one waits
            other.service()
        failure(slow.answer())
        slow.sock.close()
        assert openssh.run(server, user="ann", auth=Password("slow")).code == 0


def test_one_time_code():
    with Example("one_time_code") as server, Raw(server.port) as raw:
        raw.handshake()
        raw.service()
        assert raw.kbdint("alice")[0] == 60
        line = server.out.wait(lambda text: text.startswith("code for alice"))
        assert raw.respond("wrong!")[0] == 60
        assert raw.respond(re.search(r"\d{6}", line).group())[0] == 52
    with Example("one_time_code") as server, Raw(server.port) as raw:
        raw.handshake()
        raw.service()
        raw.kbdint("mallory")
        line = server.out.wait(lambda text: text.startswith("code for mallory"))
        assert raw.respond(re.search(r"\d{6}", line).group())[0] == 51


def test_chat_room(openssh):
    with Example("chat_room") as server:
        ann = openssh.start(server, user="ann", auth=Nothing())
        bob = None
        try:
            assert b"ann came in" in ann.stdout.readline()
            bob = openssh.start(server, user="bob", auth=Nothing())
            assert b"bob came in" in bob.stdout.readline()
            assert b"bob came in" in ann.stdout.readline()
            bob.stdin.write(b"hello everybody\n")
            bob.stdin.flush()
            assert b"bob: hello everybody" in ann.stdout.readline()
        finally:
            for process in (ann, bob):
                if process:
                    process.kill()
                    process.communicate()


def test_port_in_use():
    """A clear error and a failing exit code."""
    with Example("smallest_server") as server:
        process = subprocess.run(
            [built("examples", "smallest_server"), str(server.port)],
            capture_output=True, text=True, check=False, timeout=60,
        )
        assert process.returncode != 0
        assert "in use" in process.stderr


def test_gateway():
    asyncssh = pytest.importorskip("asyncssh")

    async def refused(opening):
        with pytest.raises(asyncssh.ChannelOpenError) as refusal:
            await opening
        return refusal.value.code

    async def visit(server, port):
        async with asyncssh.connect(
            "127.0.0.1", server.port, username="ann", password="open", known_hosts=None
        ) as conn:
            reader, _ = await conn.open_connection("hello.gateway", 1)
            assert (await reader.read()).startswith(b"Hello ann")
            reader, _ = await conn.open_connection("127.0.0.1", port)
            assert await reader.read() == b"reached"
            assert await refused(conn.open_connection("127.0.0.1", 1)) == 1
            assert await refused(conn.create_process("ls")) == 2

    async def both():
        def serve(_, writer):
            writer.write(b"reached")
            writer.close()

        listener = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with listener:
            port = listener.sockets[0].getsockname()[1]
            with Example("gateway", "-", f"127.0.0.1:{port}") as server:
                await asyncio.wait_for(visit(server, port), 2 * PATIENCE)

    asyncio.run(both())
