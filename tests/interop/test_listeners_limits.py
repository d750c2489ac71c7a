"""Listening on the client's behalf: files of UNIX sockets, many connections, slow ones, limits, and
clients that vanish."""

import contextlib
import hashlib
import os
import resource
import socket
import stat
import time

import pytest

from clients import Nothing
from listening import (  # noqa: F401 - fixtures too
    cancel,
    cancel_path,
    forward_any,
    forward_path,
    ListenServer,
    Opened,
    server,
    start,
    unix_path,
)
from rawssh import (
    CHANNEL_CLOSE,
    CHANNEL_DATA,
    CHANNEL_EOF,
    KEXINIT,
    WINDOW_ADJUST,
    Reader,
    string,
    u32,
)
from servers import PATIENCE, wait_until
from test_forwarding import connect, login, read_all, wait_for_descriptors


# ---- UNIX sockets and their files ---------------------------------------------------------------


@pytest.mark.parametrize("options,mode", [
    ((), 0o600), (("--mask", "0177"), 0o600), (("--mask", "077"), 0o700), (("--mask", "07"), 0o770),
    (("--mask", "0"), 0o777), (("--mask", "0777"), 0),
])
def test_modes(start, unix_path, options, mode):
    old = os.umask(0o022)
    try:
        server = start(*options)
    finally:
        os.umask(old)
    with login(server.port) as raw:
        assert forward_path(raw, unix_path) == b""
        status = os.lstat(unix_path)
        assert stat.S_ISSOCK(status.st_mode)
        assert stat.S_IMODE(status.st_mode) == mode


def left_behind(path):
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(path)


def test_what_is_there_already(server, unix_path):
    left_behind(unix_path)
    before = os.lstat(unix_path)
    with login(server.port) as raw:
        assert forward_path(raw, unix_path) is None
    server.said("gone")
    assert os.lstat(unix_path) == before


def test_unlink(start, unix_path, tmp_path):
    server = start("--unlink")
    left_behind(unix_path)
    with login(server.port) as raw:
        assert forward_path(raw, unix_path) == b""
        with connect(unix_path):
            Opened(raw)
        file = tmp_path / "file"
        file.write_text("precious")
        assert forward_path(raw, str(file)) is None
        link = tmp_path / "link"
        link.symlink_to(unix_path)
        assert forward_path(raw, str(link)) is None
        assert link.is_symlink() and os.path.exists(unix_path)
    server.said("gone")
    assert file.read_text() == "precious"
    assert not os.path.exists(unix_path)


@pytest.mark.parametrize("by", ["cancel", "close", "leave"])
def test_only_our_own_file_is_removed(server, unix_path, by):
    with login(server.port) as raw:
        assert forward_path(raw, unix_path) == b""
        os.unlink(unix_path)
        left_behind(unix_path)
        before = os.lstat(unix_path)
        if by == "cancel":
            assert cancel_path(raw, unix_path) == b""
        elif by == "close":
            server.tell("close")
            server.said("closed", path=unix_path)
    server.said("gone")
    assert os.lstat(unix_path) == before


def test_the_server_ends(start, unix_path):
    server = ListenServer()
    with login(server.port) as raw:
        forward_path(raw, unix_path)
        port = forward_any(raw)
        with connect(("127.0.0.1", port)), connect(unix_path):
            Opened(raw)
            Opened(raw).confirm()
            server.close()
    assert not os.path.exists(unix_path)


# ---- many, slow, and the client vanishes --------------------------------------------------------


def test_200_connections_at_once(server):
    """All open together, each with its own bytes, both ways."""
    with login(server.port) as raw:
        port = forward_any(raw)
        sockets = {}
        for _ in range(200):
            one = connect(("127.0.0.1", port))
            sockets[one.getsockname()[1]] = one
        opened = {}
        for _ in range(200):
            channel = Opened(raw).confirm()
            opened[channel.ours] = channel
        assert sorted(c.orig[1] for c in opened.values()) == sorted(sockets)
        content = {number: os.urandom(20000) for number in sockets}
        for number, one in sockets.items():
            one.sendall(content[number])
            one.shutdown(socket.SHUT_WR)
        got = dict.fromkeys(opened, b"")
        ended = 0
        while ended < 200:
            message = raw.expect(
                CHANNEL_DATA, CHANNEL_EOF, skip=(WINDOW_ADJUST, CHANNEL_CLOSE)
            )
            reader = Reader(message[1:])
            ours = reader.u32()
            if message[0] == CHANNEL_DATA:
                got[ours] += reader.string()
                continue
            ended += 1
            channel = opened[ours]
            assert got[ours] == content[channel.orig[1]]
            channel.data(hashlib.sha256(got[ours]).digest())
            channel.eof()
        for number, one in sockets.items():
            assert read_all(one) == hashlib.sha256(content[number]).digest()
            one.close()


def test_a_slow_client_channel_holds_back_only_itself(server):
    """No window for the first channel: its socket fills; the second one goes on."""
    with login(server.port) as raw:
        port = forward_any(raw)
        with connect(("127.0.0.1", port)) as slow, connect(("127.0.0.1", port)) as quick:
            Opened(raw).confirm(window=1000)
            second = Opened(raw).confirm(window=1 << 30)
            slow.setblocking(False)
            sent = 0
            end_of_test = time.monotonic() + PATIENCE
            still = 0
            while still < 5 and time.monotonic() < end_of_test:
                try:
                    sent += slow.send(bytes(1 << 20))
                    still = 0
                except BlockingIOError:
                    quick.sendall(b"y" * 10000)
                    taken = 0
                    while taken < 10000:
                        reader = Reader(raw.expect(CHANNEL_DATA)[1:])
                        if reader.u32() == second.ours:
                            taken += len(reader.string())
                    still += 1
            assert sent < 64 << 20


def test_a_slow_reader_holds_back_only_itself(server):
    with login(server.port) as raw:
        port = forward_any(raw)
        with connect(("127.0.0.1", port)), connect(("127.0.0.1", port)) as quick:
            first = Opened(raw).confirm(window=1 << 30)
            second = Opened(raw).confirm(window=1 << 30)
            left = first.window
            while left >= 30000:  # all that the window ever allows
                first.data(bytes(30000))
                left -= 30000
            for _ in range(100):
                second.data(b"y" * 10000)
                got = b""
                while len(got) < 10000:
                    got += quick.recv(65536)
                assert got == b"y" * 10000


def test_no_more_channels(start):
    """One connection is held, the rest wait in the backlog, until there is room again."""
    server = start("--max-channels", "3")
    base = server.descriptors()
    with login(server.port) as raw:
        port = forward_any(raw)
        sockets = [connect(("127.0.0.1", port)) for _ in range(8)]
        opened = [Opened(raw).confirm() for _ in range(3)]
        for i in range(5):
            if i % 2:  # by the client
                opened[i].close()
                raw.expect(CHANNEL_CLOSE, skip=(CHANNEL_EOF,))
            else:  # by both ends
                sockets[i].close()
                raw.expect(CHANNEL_EOF)
                opened[i].eof()
                raw.expect(CHANNEL_CLOSE)
                opened[i].close()
            opened.append(Opened(raw).confirm())
        assert server.count()[1] == 3
        for one in sockets:
            one.close()
    server.wait_for_nothing()
    wait_for_descriptors(server, base)


def test_no_more_descriptors(server):
    """Nothing spins, and it goes on when there are descriptors again."""
    with login(server.port) as raw:
        port = forward_any(raw)
        limits = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (server.descriptors(), limits[1]))
        with connect(("127.0.0.1", port)) as one:
            server.err.wait(lambda line: "accepting connections for a client" in line)
            before = cpu_time(server.pid)
            for _ in range(10):  # the connection itself goes on
                raw.open_session()
            assert cpu_time(server.pid) - before < 2
            resource.prlimit(server.pid, resource.RLIMIT_NOFILE, limits)
            Opened(raw).confirm().data(b"x")
            assert one.recv(1) == b"x"


def cpu_time(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        words = file.read().rsplit(")", 1)[1].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def test_no_open_during_a_key_exchange(server):
    with login(server.port) as raw:
        port = forward_any(raw)
        raw.send_kexinit()
        raw.take_kexinit(raw.expect(KEXINIT))
        with connect(("127.0.0.1", port)) as one:
            wait_for_channel(server)
            raw.finish_exchange()  # nothing else comes in between
            Opened(raw).confirm().data(b"x")
            assert one.recv(1) == b"x"


def wait_for_channel(server):
    wait_until(lambda: server.count()[1] != 0)


@pytest.mark.parametrize("how", ["reset", "close"])
def test_vanishing_clients_leave_nothing(server, unix_path, how):
    """Listening, with an open pending, open, and with bytes in flight both ways."""
    base = server.descriptors()
    for stage in ("listening", "pending", "open", "flying", "refused"):
        raw = login(server.port)
        port = forward_any(raw)
        forward_path(raw, unix_path)
        sockets = []
        if stage != "listening":
            sockets = [connect(("127.0.0.1", port)), connect(unix_path)]
            for _ in range(2):
                opened = Opened(raw, skip=(CHANNEL_DATA,))
                if stage == "refused":
                    opened.refuse(2, "")
                elif stage != "pending":
                    opened.confirm()
                if stage == "flying":
                    for one in sockets:
                        one.setblocking(False)
                        with contextlib.suppress(BlockingIOError):
                            one.send(bytes(1 << 20))
                    for _ in range(20):
                        opened.data(bytes(30000))
        if how == "reset":
            raw.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        raw.sock.close()
        for one in sockets:
            one.close()
        server.wait_for_nothing()
        wait_for_descriptors(server, base)
        assert not os.path.exists(unix_path)
