"""Many clients at once, and many one after the other."""

import asyncio
import hashlib
import os
import subprocess
import threading
import warnings

import pytest

from clients import Key
from rawssh import CHANNEL_DATA, CHANNEL_EOF, Raw, Reader, boolean, string, u32
from servers import PATIENCE, WRAPPER, Relay, built, wait_until

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import asyncssh

WAITING = 50
LOGINS = int(os.environ.get("SALLYPORT_LOGINS", "400"))


def resident(pid):
    with open(f"/proc/{pid}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")


@pytest.mark.parametrize("question", ["begin-accept-held", "pw-accept-held", "kbd-accept-held"])
def test_waiting_answers_delay_nobody(server, question):
    """50 clients wait for an answer that never comes; the 51st logs in at once, and 50 others move
    data meanwhile. One thread does it all."""
    waiting = []
    for _ in range(WAITING):
        raw = Raw(server.port).handshake()
        raw.service()
        if question.startswith("kbd"):
            raw.request(question, "keyboard-interactive", string(""), string(""))
        elif question.startswith("pw"):
            raw.request(question, "password", boolean(False), string("x"))
        else:
            raw.request(question, "none")
        waiting.append(raw)

    failures = []
    ready = threading.Barrier(WAITING + 1)

    def transfer():
        try:
            data = os.urandom(1 << 18)
            with Raw(server.port, login=("user", "secret"), cipher="aes128-gcm@openssh.com") as raw:
                _, theirs = raw.run("echo")
                ready.wait(PATIENCE)
                got = b""
                for start in range(0, len(data), 32768):
                    raw.data(theirs, data[start : start + 32768])
                raw.send(bytes([CHANNEL_EOF]) + u32(theirs))
                while len(got) < len(data):
                    got += Reader(raw.expect(CHANNEL_DATA)[5:]).string()
                assert hashlib.sha256(got).digest() == hashlib.sha256(data).digest()
        except BaseException as error:  # noqa: BLE001: told to the main thread
            failures.append(error)
            ready.abort()

    threads = [threading.Thread(target=transfer) for _ in range(WAITING)]
    for thread in threads:
        thread.start()
    ready.wait(2 * PATIENCE)
    with Raw(server.port, login=("user", "secret")) as raw:  # the 51st
        raw.run("exit 0")
    for thread in threads:
        thread.join(4 * PATIENCE)
    assert not failures, failures[0]
    assert server.stats()["unauthenticated"] == WAITING
    # The loop's thread, the one that reads standard input, and perhaps one of a sanitizer's.
    assert len(os.listdir(f"/proc/{server.pid}/task")) <= 3
    for raw in waiting:
        raw.sock.close()


def test_waiting_work_delays_nobody(server):
    """The same with blocking functions on the thread pool."""
    waiting = []
    for _ in range(WAITING):
        raw = Raw(server.port).handshake()
        raw.service()
        raw.request("pw-accept-work", "password", boolean(False), string("x"))
        waiting.append(raw)
    with Raw(server.port, login=("user", "secret")) as raw:
        raw.run("exit 0")
    for raw in waiting:
        assert raw.answer()[0] == 52
        raw.sock.close()


def test_logins_in_a_row(server, keys):
    """Memory is flat: what a login takes is given back."""
    load = built("tools", "login_load")
    if not os.path.exists(load):
        pytest.skip("login_load was not built")
    if WRAPPER:
        pytest.skip("valgrind keeps what is freed; it looks for leaks itself")
    with open(f"/proc/{server.pid}/maps", encoding="ascii", errors="replace") as maps:
        if "libasan" in maps.read():
            pytest.skip("AddressSanitizer keeps what is freed; it looks for leaks itself")

    def log_in(count):
        subprocess.run(
            [load, str(server.port), "user", keys.user(), str(count)], check=True, timeout=3600,
            stdout=subprocess.DEVNULL,
        )

    log_in(LOGINS // 4)
    server.stats()
    before = resident(server.pid)
    log_in(LOGINS)
    assert server.stats()["logins"] >= LOGINS
    assert server.stats()["connections"] == 0
    assert resident(server.pid) - before < max(512 * 1024, LOGINS * 64)


def test_several_sessions_in_one_connection(server, keys):
    """With asyncssh, at the same time."""

    async def all_of_them():
        async with asyncssh.connect(
            "127.0.0.1", server.port, username="user", client_keys=[keys.user()], known_hosts=None,
            config=None, agent_path=None,
        ) as conn:

            async def one(number):
                result = await conn.run("echo", input=f"session {number} " * 5000)
                assert result.stdout == f"session {number} " * 5000
                return (await conn.run(f"exit {number}")).exit_status

            return await asyncio.gather(*[one(number) for number in range(30)])

    assert asyncio.run(all_of_them()) == list(range(30))
    assert server.stats()["accepted"] == 1


def test_control_master(server, keys, all_clients, tmp_path):
    """OpenSSH's way to share a connection."""
    openssh = all_clients["openssh"]
    socket = str(tmp_path / "master")
    more = ["-o", f"ControlPath={socket}"]
    master = openssh.start(
        server, "hold", auth=Key(keys.user()), more=more + ["-o", "ControlMaster=yes"]
    )
    try:
        assert master.stdout.readline() == b"holding\n"
        for status in (0, 5, 255):
            result = openssh.run(server, f"exit {status}", auth=Key(keys.user()), more=more)
            assert result.code == status, result
        result = openssh.run(server, "echo", auth=Key(keys.user()), more=more, input=b"x" * 100_000)
        assert result.out == b"x" * 100_000
        assert server.stats()["accepted"] == 1
    finally:
        subprocess.run(
            ["ssh", "-F", "none", "-O", "exit", *more, "127.0.0.1"], check=False,
            capture_output=True, timeout=PATIENCE,
        )
        master.kill()
        master.communicate()


def hears_more(server, process, more):
    """Waits until the server has got so many bytes more from a client that stays."""
    before = server.stats()["bytes_received"]

    def heard():
        if process.poll() is not None:
            raise AssertionError(f"left with {process.poll()}: {process.stderr.read()[-1500:]}")
        return server.stats()["bytes_received"] >= before + more

    wait_until(heard)


def test_client_keepalives(client, start_server, keys):
    """The client asks for signs of life, and gets them."""
    if not client.keepalive:
        pytest.skip("sends none")
    server = start_server("--log", 4)
    process = client.start(server, "hold", auth=Key(keys.user()), keepalive=1)
    try:
        assert process.stdout.readline() == b"holding\n"
        hears_more(server, process, 30)
    finally:
        process.kill()
        process.communicate()


def test_server_keepalives(client, start_server, keys):
    """The server asks, and each client answers."""
    server = start_server("--keepalive", 50, "--keepalive-count", 1000)
    process = client.start(server, "hold", auth=Key(keys.user()))
    try:
        assert process.stdout.readline() == b"holding\n"
        hears_more(server, process, 200)
        assert not server.seen("lost")
    finally:
        process.kill()
        process.communicate()


# ---- receive windows over a long way ------------------------------------------------------------


def widest(port, size, command="count"):
    """Sends as fast as the server lets us; returns the most that it ever let us have in flight."""
    with Raw(port, login=("user", "secret"), cipher="aes128-gcm@openssh.com") as raw:
        _, theirs, credit, packet = raw.open_session()
        raw.channel_request(theirs, "exec", string(command))
        raw.expect(99)
        most = credit
        piece = bytes(packet)
        sent = 0
        while sent < size:
            if credit >= packet:
                raw.data(theirs, piece)
                credit -= packet
                sent += packet
                continue
            credit += Reader(raw.expect(93, skip=())[5:]).u32()
            most = max(most, credit)
        return most


def test_window_grows_with_the_distance(server):
    """Through a long line the window grows beyond its first size, so that even a slow machine does
    not have to wait for it."""
    with Relay(server.port, 300) as relay:
        assert widest(relay.port, 32 << 20) >= 4 << 20


def test_window_has_a_limit(start_server):
    server = start_server("--window-max", 3 << 20)
    with Relay(server.port, 300) as relay:
        assert widest(relay.port, 16 << 20) <= 3 << 20


def test_window_stays_where_the_way_is_short(server):
    """More would be no use, and costs OpenSSH's client dearly."""
    assert widest(server.port, 64 << 20) <= 16 << 20


def test_window_keeps_to_the_budget(start_server):
    server = start_server("--window-budget", 3 << 20)
    with Relay(server.port, 20) as relay:
        assert widest(relay.port, 16 << 20) <= 3 << 20


def test_window_does_not_grow_for_a_slow_application(server):
    """Nor when the application is what takes the time."""
    with Relay(server.port, 5) as relay:
        assert widest(relay.port, 8 << 20, "slowsink") <= 8 << 20
