"""One server with several loop threads: real clients on all of them at once."""

import asyncio
import hashlib
import os
import subprocess
import threading
import warnings

import pytest

from clients import Nothing
from rawssh import Closed, Raw
from servers import PATIENCE, WRAPPER, Program, built, parse_json, wait_until

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import asyncssh

THREADS = 4
LOGINS = int(os.environ.get("SALLYPORT_LOGINS", "200"))
AT_ONCE = 20


class ThreadsServer(Program):
    """tests/tools/threads_server"""

    parse = staticmethod(parse_json)
    host_key_paths = ()

    def __init__(self, threads=THREADS, *limits):
        super().__init__([built("tools", "threads_server"), str(threads), *map(str, limits)])
        self.port = self.said("listening")["value"]

    def said(self, name, start=0, **fields):
        def wanted(item):
            return item["event"] == name and all(item.get(k) == v for k, v in fields.items())

        return self.out.wait(wanted, start=start)

    def stats(self):
        at = len(self.out.items)
        self.tell("stats")
        return self.said("stats", start=at)

    def wait_stats(self, **fields):
        def reached():
            found = self.stats()
            return all(found[k] == v for k, v in fields.items())

        wait_until(reached, lambda: str(self.stats()))

    def spread(self):
        """How many connections each thread has."""
        at = len(self.out.items)
        self.tell("visit")
        found = {}
        for number in range(THREADS):
            found[number] = self.said("visited", start=at, thread=number)["value"]
        return found

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def resident(self):
        with open(f"/proc/{self.pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        code = self.finish(self.process.stdin.close)
        if kind is None:
            assert code == 0, f"threads_server ended with {code}: " + "\n".join(self.err.items)
            assert len([e for e in self.out.items if e["event"] == "closed"]) == 1


def connect(server, user):
    return asyncssh.connect(
        "127.0.0.1", server.port, username=user, known_hosts=None, config=None, agent_path=None,
        client_keys=None, encryption_algs=["aes128-gcm@openssh.com"],
    )


async def echo(conn, size, command="echo"):
    data = os.urandom(size)
    result = await conn.run(command, input=data, encoding=None, check=True)
    assert hashlib.sha256(result.stdout).digest() == hashlib.sha256(data).digest()


def limited(work, count):
    """work(0) to work(count - 1), so many at once; their results."""

    async def all_of_them():
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(number):
            async with gate:
                return await asyncio.wait_for(work(number), 4 * PATIENCE)

        return await asyncio.gather(*[one(number) for number in range(count)])

    return asyncio.run(all_of_them())


def test_logins_and_transfers_on_all_threads():
    with ThreadsServer() as server:

        async def one(number):
            async with connect(server, f"now-{number}") as conn:
                await echo(conn, 300_000)
                said = (await conn.run("who", check=True)).stdout.split()
                assert said[1] == f"now-{number}"
                return int(said[0])

        used = limited(one, LOGINS)
        assert set(used) == set(range(THREADS))
        assert min(used.count(number) for number in range(THREADS)) >= LOGINS // THREADS // 4
        assert server.stats()["logins"] == LOGINS
        server.wait_stats(connections=0, channels=0, unauthenticated=0)


def test_openssh_on_all_threads(all_clients, random_file):
    """Each of eight clients, two for a thread, moves a file both ways."""
    path, digest, _ = random_file
    openssh = all_clients["openssh"]
    with ThreadsServer() as server:
        failures = []

        def one(number):
            try:
                result = openssh.run(server, "echo", user=f"now-{number}", auth=Nothing(),
                                     input_path=path)
                assert result.sha256 == digest, result
            except BaseException as error:  # noqa: BLE001: told to the main thread
                failures.append(error)

        threads = [threading.Thread(target=one, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(8 * PATIENCE)
        assert not failures, failures[0]
        assert server.stats()["accepted"] == 8


def test_answers_from_one_thread_reach_the_right_connection():
    with ThreadsServer() as server:

        async def one(number):
            try:
                async with connect(server, f"later-{number}") as conn:
                    said = (await conn.run("who", check=True)).stdout.split()
                    return int(said[0]), said[1]
            except asyncssh.PermissionDenied:
                return None

        found = limited(one, 40)
        assert all(answer is None for answer in found[1::2])
        assert [answer[1] for answer in found[::2]] == [f"later-{n}" for n in range(0, 40, 2)]
        assert {answer[0] for answer in found[::2]} == set(range(THREADS))


def test_children_and_functions_on_all_threads():
    """Processes are started, and functions run, by several threads at the same time."""
    with ThreadsServer() as server:

        async def one(number):
            async with connect(server, f"{'direct' if number % 2 else 'now'}-{number}") as conn:
                for _ in range(3):
                    await echo(conn, 100_000, "cat")

        limited(one, 24)
        server.wait_stats(connections=0, channels=0, fibers=0)


@pytest.mark.parametrize("order", ["stop", "drain 50", "close", "end of input"])
def test_ends_with_connections_on_all_threads(order):
    with ThreadsServer() as server:

        async def all_of_them():
            conns = [
                await connect(server, f"{'direct' if number >= THREADS else 'now'}-{number}")
                for number in range(2 * THREADS)
            ]
            for conn in conns:
                await conn.create_process("hold")
            assert server.spread() == dict.fromkeys(range(THREADS), 2)
            if order == "end of input":
                server.process.stdin.close()
            else:
                server.tell(order)
            if order == "close":
                with pytest.raises(OSError):
                    while True:  # no longer than until all threads know
                        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
                        writer.close()
                await echo(conns[0], 1000)  # goes on
                for conn in conns:
                    conn.close()
            for conn in conns:
                await asyncio.wait_for(conn.wait_closed(), PATIENCE)

        asyncio.run(all_of_them())
        assert server.said("ran")["value"] == 0


def test_limits_hold_for_all_threads():
    with ThreadsServer(THREADS, 6, 3) as server:
        held = [Raw(server.port, login=("now", "")) for _ in range(3)]
        waiting = [Raw(server.port).handshake() for _ in range(3)]
        server.wait_stats(connections=6, unauthenticated=3)
        with pytest.raises(Closed):
            Raw(server.port).handshake()
        held.pop().sock.close()
        server.wait_stats(connections=5)
        with pytest.raises(Closed):
            Raw(server.port).handshake()  # still too many that are not logged in
        waiting.pop().sock.close()
        server.wait_stats(connections=4, unauthenticated=2)
        waiting.append(Raw(server.port).handshake())
        assert server.stats()["refused"] == 2
        for raw in held + waiting:
            raw.sock.close()
        server.wait_stats(connections=0, unauthenticated=0)


def test_memory_and_descriptors_are_flat():
    load = built("tools", "login_load")
    if not os.path.exists(load):
        pytest.skip("login_load was not built")
    with ThreadsServer() as server:

        def log_in(count):
            subprocess.run(
                [load, str(server.port), "now", "password:x", str(count), "8"], check=True,
                timeout=3600, stdout=subprocess.DEVNULL,
            )
            server.wait_stats(connections=0)

        log_in(LOGINS)
        descriptors, resident = server.descriptors(), server.resident()
        log_in(2 * LOGINS)
        assert server.descriptors() == descriptors
        with open(f"/proc/{server.pid}/maps", encoding="ascii", errors="replace") as maps:
            plain = not WRAPPER and "libasan" not in (text := maps.read()) and "tsan" not in text
        if plain:
            assert server.resident() - resident < max(2 << 20, LOGINS * 128)
