"""Channels that clients open to elsewhere: direct-tcpip and direct-streamlocal@openssh.com. The forms of
connection_requested and unix_connection_requested, the library's own forwarding, real clients, and
sallyportd's policy."""

import asyncio
import contextlib
import getpass
import hashlib
import os
import signal
import socket
import subprocess
import threading
import time

import pytest

from clients import Key
from rawssh import (
    CHANNEL_CLOSE,
    CHANNEL_DATA,
    CHANNEL_EOF,
    CHANNEL_FAILURE,
    OPEN_CONFIRMATION,
    OPEN_FAILURE,
    Raw,
    Reader,
    string,
    u32,
)
from servers import PATIENCE, Program, built, wait_until

USER = getpass.getuser()


class ForwardServer(Program):
    """tests/tools/forward_server"""

    def __init__(self, *arguments, path=""):
        super().__init__(
            [built("tools", "forward_server"), "0", *arguments], env={"FORWARD_PATH": path}
        )
        line = self.out.wait(lambda text: text.startswith("listening on "))
        self.port = int(line.rsplit(":", 1)[1])

    def said(self, text):
        return self.out.wait(lambda line: line == text)

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def close(self):
        code = self.finish(lambda: self.process.send_signal(signal.SIGTERM))
        assert code == 0, f"forward_server ended with {code}"


@pytest.fixture
def unix_path(tmp_path_factory):
    return str(tmp_path_factory.mktemp("s") / "socket")


@pytest.fixture
def server(unix_path):
    server = ForwardServer(path=unix_path)
    yield server
    server.close()


class Peer:
    """A listening socket, TCP or UNIX; each connection is served by a function in a thread."""

    def __init__(self, serve, path=None, address="127.0.0.1"):
        family = socket.AF_UNIX if path else socket.AF_INET6 if ":" in address else socket.AF_INET
        self.listener = socket.socket(family)
        self.listener.bind(path or (address, 0))
        self.listener.listen(256)
        self.port = 0 if path else self.listener.getsockname()[1]
        self.serve = serve
        self.failures = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        connection.settimeout(PATIENCE)
        try:
            with connection:
                self.serve(connection)
        except OSError as error:
            self.failures.append(error)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def read_all(connection):
    pieces = []
    while piece := connection.recv(65536):
        pieces.append(piece)
    return b"".join(pieces)


def echo(connection):
    while piece := connection.recv(65536):
        connection.sendall(piece)


def digest_back(connection):
    """Answers only when the other side has said all: half-close works."""
    connection.sendall(hashlib.sha256(read_all(connection)).hexdigest().encode())


def login(port):
    raw = Raw(port)
    raw.handshake()
    raw.service()
    raw.none("anyone")
    return raw


def tcpip(host, port, orig="192.0.2.7", orig_port=4711):
    return string(host) + u32(port) + string(orig) + u32(orig_port)


def streamlocal(path):
    return string(path) + string("") + u32(0)


# Each form is tried with both kinds of channel.
KINDS = {
    "tcp": ("direct-tcpip", lambda name: tcpip(name, 7)),
    "unix": ("direct-streamlocal@openssh.com", streamlocal),
}


@pytest.fixture(params=list(KINDS))
def kind(request):
    return request.param


def open_channel(raw, kind, name, **options):
    channel_type, body = KINDS[kind]
    return raw.open(channel_type, more=body(name), **options)


def confirmed(raw):
    """The server's number, window and packet size."""
    reader = Reader(raw.expect(OPEN_CONFIRMATION)[1:])
    reader.u32()
    return reader.u32(), reader.u32(), reader.u32()


def refused(raw):
    reader = Reader(raw.expect(OPEN_FAILURE)[1:])
    reader.u32()
    return reader.u32(), reader.text()


def received(raw, until_close=True):
    """All data of the one channel that is open, up to the server's EOF and CLOSE."""
    data = b""
    eof = False
    while True:
        message = raw.expect(CHANNEL_DATA, CHANNEL_EOF, CHANNEL_CLOSE)
        if message[0] == CHANNEL_DATA:
            assert not eof
            reader = Reader(message[1:])
            reader.u32()
            data += reader.string()
        elif message[0] == CHANNEL_EOF:
            eof = True
            if not until_close:
                return data
        else:
            return data


def take(raw, length):
    data = b""
    while len(data) < length:
        reader = Reader(raw.expect(CHANNEL_DATA)[1:])
        reader.u32()
        data += reader.string()
    return data


# ---- connection_requested, unix_connection_requested: the forms ----------------------------------


def test_connection_requested_default(kind):
    server = ForwardServer("--no-handlers")
    with login(server.port) as raw:
        open_channel(raw, kind, "echo.test")
        assert refused(raw) == (2, "Connection refused")
    server.close()


def test_connection_requested_arguments(server):
    with login(server.port) as raw:
        raw.open("direct-tcpip", more=tcpip("echo.test", 65535, "somebody", 0))
        confirmed(raw)
        server.said("open echo.test 65535 somebody 0")


@pytest.mark.parametrize("name", ["echo.test", "later.test", "twice.test"])
def test_connection_requested_table(server, kind, name):
    with login(server.port) as raw:
        open_channel(raw, kind, name)
        theirs, _, _ = confirmed(raw)
        server.said("made 0")
        raw.data(theirs, b"x" * 1000)
        assert take(raw, 1006) == b"hello\n" + b"x" * 1000
        raw.send(bytes([CHANNEL_EOF]) + u32(theirs))
        assert received(raw) == b""
        raw.send(bytes([CHANNEL_CLOSE]) + u32(theirs))
        server.said("lost 0")
        if name == "twice.test":
            line = server.out.wait(lambda text: text.startswith("second "))
            assert int(line.split()[1]) < 0


def test_connection_requested_options(server, kind):
    with login(server.port) as raw:
        open_channel(raw, kind, "options.test")
        assert confirmed(raw)[1:] == (4096, 1024)


@pytest.mark.parametrize("name", ["refuse.test", "later-refuse.test", "wrong.test"])
def test_connection_requested_refuse(server, kind, name):
    with login(server.port) as raw:
        open_channel(raw, kind, name)
        assert refused(raw) == (2, "Connection refused")


@pytest.mark.parametrize("name", ["why.test", "later-why.test"])
def test_connection_requested_refuse_with_reason(server, kind, name):
    with login(server.port) as raw:
        open_channel(raw, kind, name)
        assert refused(raw) == (4, "Not today")


def test_connection_requested_forward(server):
    with Peer(digest_back) as peer, login(server.port) as raw:
        raw.open("direct-tcpip", more=tcpip("127.0.0.1", peer.port))
        theirs, _, _ = confirmed(raw)
        raw.data(theirs, b"abc")
        raw.send(bytes([CHANNEL_EOF]) + u32(theirs))
        assert received(raw) == hashlib.sha256(b"abc").hexdigest().encode()


@pytest.mark.parametrize("name", ["elsewhere.test", "later-forward.test"])
def test_connection_requested_forward_elsewhere(server, name):
    with Peer(digest_back) as peer, login(server.port) as raw:
        raw.open("direct-tcpip", more=tcpip(name, peer.port))
        theirs, _, _ = confirmed(raw)
        raw.send(bytes([CHANNEL_EOF]) + u32(theirs))
        assert received(raw) == hashlib.sha256(b"").hexdigest().encode()


def test_unix_connection_requested_forward(server, unix_path):
    with Peer(digest_back, unix_path), login(server.port) as raw:
        raw.open("direct-streamlocal@openssh.com", more=streamlocal(unix_path))
        theirs, _, _ = confirmed(raw)
        raw.data(theirs, b"abc")
        raw.send(bytes([CHANNEL_EOF]) + u32(theirs))
        assert received(raw) == hashlib.sha256(b"abc").hexdigest().encode()


@pytest.mark.parametrize("name", ["path.test", "later-forward.test"])
def test_unix_connection_requested_forward_elsewhere(server, unix_path, name):
    with Peer(digest_back, unix_path), login(server.port) as raw:
        raw.open("direct-streamlocal@openssh.com", more=streamlocal(name))
        theirs, _, _ = confirmed(raw)
        raw.send(bytes([CHANNEL_EOF]) + u32(theirs))
        assert received(raw) == hashlib.sha256(b"").hexdigest().encode()


def test_connection_requested_later_after_the_client_left(server, kind):
    with login(server.port) as raw:
        open_channel(raw, kind, "never.test")
        server.said("asked 0")
    line = server.out.wait(lambda text: text.startswith("late "))
    assert int(line.split()[1]) < 0
    server.said("gone 0")


def test_a_session_is_no_stream(server):
    with login(server.port) as raw:
        raw.open_session()
        for word in ("stream ", "forward "):
            line = server.out.wait(lambda text, word=word: text.startswith(word))
            assert int(line.split()[1]) < 0


def test_no_requests_on_a_stream(server, kind):
    with login(server.port) as raw:
        open_channel(raw, kind, "echo.test")
        theirs, _, _ = confirmed(raw)
        raw.channel_request(theirs, "exec", string("x"))
        raw.expect(CHANNEL_FAILURE, skip=(CHANNEL_DATA,))


# ---- bad opens ----------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [
    tcpip("", 80), tcpip("a\0b", 80), tcpip("h", 0), tcpip("h", 65536), tcpip("h", 80, "o\0"),
    tcpip("h", 80, "o", 65536), tcpip("h" * 4097, 80),
])
def test_no_such_destination(server, body):
    with login(server.port) as raw:
        raw.open("direct-tcpip", more=body)
        assert refused(raw)[0] == 2
        open_channel(raw, "tcp", "echo.test")  # and the connection goes on
        confirmed(raw)


@pytest.mark.parametrize("path", ["", "a\0b", "p" * 4097])
def test_no_such_path(server, path):
    with login(server.port) as raw:
        raw.open("direct-streamlocal@openssh.com", more=streamlocal(path))
        assert refused(raw)[0] == 2


@pytest.mark.parametrize("channel_type,body", [
    ("direct-tcpip", b""), ("direct-tcpip", tcpip("h", 1)[:-1]), ("direct-tcpip", tcpip("h", 1) + b"x"),
    ("direct-streamlocal@openssh.com", string("p")), ("direct-streamlocal@openssh.com", streamlocal("p") + b"x"),
])
def test_malformed_open_disconnects(server, channel_type, body):
    with login(server.port) as raw:
        raw.open(channel_type, more=body)
        assert raw.expect_closed().code == 2


def test_forwarding_fails(server, unix_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: refused
        with login(server.port) as raw:
            raw.open("direct-tcpip", more=tcpip("127.0.0.1", taken.getsockname()[1]))
            assert refused(raw) == (2, "connection refused")
            raw.open("direct-tcpip", more=tcpip("no.such.name.invalid", 1))
            assert refused(raw)[0] == 2
            raw.open("direct-tcpip", more=tcpip("x" * 300, 1))
            assert refused(raw)[0] == 2
            raw.open("direct-streamlocal@openssh.com", more=streamlocal(unix_path))
            assert refused(raw) == (2, "no such file or directory")
            raw.open("direct-streamlocal@openssh.com", more=streamlocal("/" + "p" * 200))
            assert refused(raw) == (2, "name too long")


# ---- the library's forwarding -------------------------------------------------------------------


def test_names_are_resolved(server):
    """Whatever comes first of ::1 and 127.0.0.1, the one that listens is found."""
    with Peer(digest_back) as peer, login(server.port) as raw:
        raw.open("direct-tcpip", more=tcpip("localhost", peer.port))
        theirs, _, _ = confirmed(raw)
        raw.send(bytes([CHANNEL_EOF]) + u32(theirs))
        received(raw)


def test_the_other_side_ends_first(server):
    """Its EOF comes at once; what the client sends still arrives."""
    got = []
    done = threading.Event()

    def serve(connection):
        connection.sendall(b"bye")
        connection.shutdown(socket.SHUT_WR)
        got.append(read_all(connection))
        done.set()

    with Peer(serve) as peer, login(server.port) as raw:
        raw.open("direct-tcpip", more=tcpip("127.0.0.1", peer.port))
        theirs, _, _ = confirmed(raw)
        assert received(raw, until_close=False) == b"bye"
        raw.data(theirs, b"still here")
        raw.send(bytes([CHANNEL_EOF]) + u32(theirs))
        raw.expect(CHANNEL_CLOSE)
        assert done.wait(PATIENCE)
        assert got == [b"still here"]


def test_last_bytes_before_a_close_arrive(server):
    """The client fills the socket, sends EOF and CLOSE: all is written all the same."""
    go = threading.Event()
    got = []
    done = threading.Event()

    def serve(connection):
        go.wait(PATIENCE)
        got.append(read_all(connection))
        done.set()

    with Peer(serve) as peer, login(server.port) as raw:
        raw.open("direct-tcpip", more=tcpip("127.0.0.1", peer.port))
        theirs, window, _ = confirmed(raw)
        sent = 0
        while sent + 32000 <= window:
            raw.data(theirs, bytes(32000))
            sent += 32000
        raw.send(bytes([CHANNEL_EOF]) + u32(theirs))
        raw.send(bytes([CHANNEL_CLOSE]) + u32(theirs))
        raw.expect(CHANNEL_CLOSE)
        go.set()
        assert done.wait(PATIENCE)
        assert len(got[0]) == sent


def test_a_slow_reader_holds_back_its_own_stream(server):
    """One destination never reads; the other channel of the same connection goes on."""
    stuck = threading.Event()
    with Peer(lambda connection: stuck.wait(PATIENCE)) as slow, Peer(echo) as quick:
        with login(server.port) as raw:
            raw.open("direct-tcpip", more=tcpip("127.0.0.1", slow.port), window=1 << 30)
            first, window, _ = confirmed(raw)
            raw.open("direct-tcpip", more=tcpip("127.0.0.1", quick.port), window=1 << 30)
            second, _, _ = confirmed(raw)
            left = window
            while left >= 30000:  # all that the window ever allows
                raw.data(first, bytes(30000))
                left -= 30000
            for _ in range(100):
                raw.data(second, b"y" * 10000)
                assert take(raw, 10000) == b"y" * 10000
        stuck.set()


def test_a_reset_by_the_other_side_closes(server):
    def serve(connection):
        connection.recv(1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    with Peer(serve) as peer, login(server.port) as raw:
        raw.open("direct-tcpip", more=tcpip("127.0.0.1", peer.port))
        theirs, _, _ = confirmed(raw)
        raw.data(theirs, b"x" * 1000)
        received(raw)


def test_200_forwardings_at_once(server):
    """All open together on one connection, each with its own bytes."""
    everybody = threading.Barrier(201)

    def serve(connection):
        everybody.wait(PATIENCE)
        digest_back(connection)

    with Peer(serve) as peer, login(server.port) as raw:
        numbers = {}
        for i in range(200):
            raw.open("direct-tcpip", more=tcpip("127.0.0.1", peer.port))
            reader = Reader(raw.expect(OPEN_CONFIRMATION)[1:])
            numbers[reader.u32()] = reader.u32()
        everybody.wait(PATIENCE)
        content = {ours: os.urandom(20000) for ours in numbers}
        for ours, theirs in numbers.items():
            raw.data(theirs, content[ours])
            raw.send(bytes([CHANNEL_EOF]) + u32(theirs))
        got = {ours: b"" for ours in numbers}
        closed = 0
        while closed < 200:
            message = raw.expect(CHANNEL_DATA, CHANNEL_EOF, CHANNEL_CLOSE)
            reader = Reader(message[1:])
            ours = reader.u32()
            if message[0] == CHANNEL_DATA:
                got[ours] += reader.string()
            elif message[0] == CHANNEL_CLOSE:
                closed += 1
        for ours, data in content.items():
            assert got[ours].decode() == hashlib.sha256(data).hexdigest()


# ---- the client vanishes ------------------------------------------------------------------------


def wait_for_descriptors(server, wanted):
    wait_until(lambda: server.descriptors() <= wanted)
    assert server.descriptors() == wanted


def test_vanishing_clients_leave_nothing(server):
    """While connecting, open, and with bytes in flight both ways: no descriptor is left."""
    base = server.descriptors()
    with Peer(echo) as peer, socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        fill = [socket.socket() for _ in range(4)]  # from here on a connection there hangs
        for one in fill:
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        for stage in ("connecting", "resolving", "open", "flying"):
            raw = login(server.port)
            if stage == "connecting":
                raw.open("direct-tcpip", more=tcpip("127.0.0.1", full.getsockname()[1]))
            elif stage == "resolving":
                raw.open("direct-tcpip", more=tcpip("localhost", peer.port))
            else:
                raw.open("direct-tcpip", more=tcpip("127.0.0.1", peer.port))
                theirs, _, _ = confirmed(raw)
                if stage == "flying":
                    for _ in range(20):
                        raw.data(theirs, bytes(30000))
            raw.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            raw.sock.close()
            wait_for_descriptors(server, base)
        for one in fill:
            one.close()


# ---- clients that we did not write --------------------------------------------------------------


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def connect(address):
    """As soon as somebody listens there."""
    end = time.monotonic() + PATIENCE
    while True:
        one = socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET)
        try:
            one.settimeout(PATIENCE)
            one.connect(address)
            return one
        except OSError:
            one.close()
            if time.monotonic() > end:
                raise
            time.sleep(0.01)


@contextlib.contextmanager
def running(arguments, env=None, **more):
    process = subprocess.Popen(
        arguments, env={**os.environ, **(env or {})}, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, stdin=subprocess.PIPE, **more
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdin.close()


def openssh_command(server, key, *more):
    return [
        "ssh", "-F", "none", "-p", str(server.port), "-i", key, "-l", USER,
        "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
        "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes", "-o", "LogLevel=ERROR",
        "-o", "ExitOnForwardFailure=yes", *more, "127.0.0.1",
    ]


def check_digest(one, size=3_000_000):
    content = os.urandom(size)
    with one:
        one.sendall(content)
        one.shutdown(socket.SHUT_WR)
        assert read_all(one).decode() == hashlib.sha256(content).hexdigest()


def check_digests(address):
    """One connection, then forty at a time."""
    check_digest(connect(address))
    failures = []

    def one():
        try:
            check_digest(connect(address), 200_000)
        except Exception as error:  # noqa: BLE001 - told by the main thread
            failures.append(error)

    threads = [threading.Thread(target=one) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures


def test_openssh_local_forwarding(sallyportd, keys):
    server = sallyportd()
    port = free_port()
    with Peer(digest_back) as peer:
        arguments = openssh_command(server, keys.user(), "-N", "-L", f"{port}:127.0.0.1:{peer.port}")
        with running(arguments):
            check_digests(("127.0.0.1", port))


def test_openssh_unix_forwarding(sallyportd, keys, unix_path):
    server = sallyportd()
    local = unix_path + ".local"
    with Peer(digest_back, unix_path):
        arguments = openssh_command(server, keys.user(), "-N", "-L", f"{local}:{unix_path}")
        with running(arguments):
            check_digest(connect(local))


def test_openssh_dynamic_forwarding(sallyportd, keys):
    server = sallyportd()
    port = free_port()

    def serve(connection):
        while b"\r\n\r\n" not in (request := connection.recv(65536)):
            assert request
        connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nfunny")

    with Peer(serve) as peer:
        with running(openssh_command(server, keys.user(), "-N", "-D", str(port))):
            connect(("127.0.0.1", port)).close()
            done = subprocess.run(
                ["curl", "-sS", "--socks5-hostname", f"127.0.0.1:{port}",
                 f"http://localhost:{peer.port}/"],
                capture_output=True, timeout=PATIENCE, check=False,
            )
            assert (done.stdout, done.returncode) == (b"funny", 0), done


def test_openssh_stdio_forwarding(sallyportd, keys):
    server = sallyportd()
    with Peer(digest_back) as peer:
        done = subprocess.run(
            openssh_command(server, keys.user(), "-W", f"127.0.0.1:{peer.port}"),
            input=b"through", capture_output=True, timeout=2 * PATIENCE, check=False,
        )
    assert done.stdout.decode() == hashlib.sha256(b"through").hexdigest(), done


def test_openssh_jump(sallyportd, keys):
    """Through one of our servers to itself."""
    server = sallyportd()
    through = " ".join(openssh_command(server, keys.user(), "-W", "%h:%p"))
    arguments = openssh_command(server, keys.user(), "-o", f"ProxyCommand={through}")
    done = subprocess.run(
        arguments + ["echo jumped"], capture_output=True, timeout=2 * PATIENCE, check=False
    )
    assert done.stdout == b"jumped\n", done


def test_plink_stdio_forwarding(all_clients, sallyportd, keys):
    server = sallyportd()
    plink = all_clients["plink"]
    with Peer(digest_back) as peer:
        arguments = plink.arguments(server, None, USER, Key(keys.user()), {})
        arguments = [word for word in arguments if word != "-v"]
        arguments[1:1] = ["-nc", f"127.0.0.1:{peer.port}"]
        done = subprocess.run(
            arguments, input=b"through", capture_output=True, timeout=2 * PATIENCE, check=False,
            env={**os.environ, **plink.environment()},
        )
    assert done.stdout.decode() == hashlib.sha256(b"through").hexdigest(), done


def test_plink_local_forwarding(all_clients, sallyportd, keys):
    server = sallyportd()
    plink = all_clients["plink"]
    port = free_port()
    with Peer(digest_back) as peer:
        arguments = plink.arguments(server, None, USER, Key(keys.user()), {})
        arguments[1:1] = ["-N", "-L", f"127.0.0.1:{port}:127.0.0.1:{peer.port}"]
        with running(arguments, plink.environment()):
            check_digest(connect(("127.0.0.1", port)))


def test_dbclient_local_forwarding(all_clients, sallyportd, keys):
    server = sallyportd()
    dbclient = all_clients["dbclient"]
    port = free_port()
    with Peer(digest_back) as peer:
        arguments = dbclient.arguments(server, None, USER, Key(keys.user()), {})
        arguments[1:1] = ["-N", "-L", f"127.0.0.1:{port}:127.0.0.1:{peer.port}"]
        with running(arguments, dbclient.environment()):
            check_digest(connect(("127.0.0.1", port)))


def test_asyncssh_connections(sallyportd, keys, unix_path):
    asyncssh = pytest.importorskip("asyncssh")
    server = sallyportd()

    async def one(reader, writer):
        writer.write(b"through")
        writer.write_eof()
        assert (await reader.read()).decode() == hashlib.sha256(b"through").hexdigest()

    async def all_of_it(tcp_port):
        async with asyncssh.connect(
            "127.0.0.1", server.port, username=USER, client_keys=[keys.user()], known_hosts=None
        ) as conn:
            await one(*await conn.open_connection("127.0.0.1", tcp_port))
            await one(*await conn.open_unix_connection(unix_path))
            with pytest.raises(asyncssh.ChannelOpenError) as refusal:
                await conn.open_connection("no.such.name.invalid", 1)
            assert refusal.value.code == 2

    with Peer(digest_back) as peer, Peer(digest_back, unix_path):
        asyncio.run(asyncio.wait_for(all_of_it(peer.port), 2 * PATIENCE))


def test_paramiko_connections(sallyportd, keys):
    paramiko = pytest.importorskip("paramiko")
    server = sallyportd()
    with Peer(digest_back) as peer:
        transport = paramiko.Transport(("127.0.0.1", server.port))
        try:
            transport.connect(username=USER, pkey=paramiko.Ed25519Key.from_private_key_file(keys.user()))
            channel = transport.open_channel(
                "direct-tcpip", ("127.0.0.1", peer.port), ("127.0.0.1", 5), timeout=PATIENCE
            )
            channel.settimeout(PATIENCE)
            channel.sendall(b"through")
            channel.shutdown_write()
            assert read_all(channel).decode() == hashlib.sha256(b"through").hexdigest()
        finally:
            transport.close()


# ---- sallyportd's policy ------------------------------------------------------------------------


@pytest.mark.parametrize("options,allowed", [
    ((), True),
    (("AllowTcpForwarding=yes",), True),
    (("AllowTcpForwarding=local",), True),
    (("AllowTcpForwarding=remote",), False),
    (("AllowTcpForwarding=no",), False),
    (("DisableForwarding=yes",), False),
    (("PermitOpen=any",), True),
    (("PermitOpen=none",), False),
    (("PermitOpen=127.0.0.1:PORT",), True),
    (("PermitOpen=127.0.0.1:*",), True),
    (("PermitOpen=*:PORT",), True),
    (("PermitOpen=example.com:1 127.0.0.1:PORT",), True),
    (("PermitOpen=127.0.0.2:PORT",), False),
    (("PermitOpen=127.0.0.1:1",), False),
    (("PermitOpen=localhost:PORT",), False),  # nothing is looked up
    (("PermitOpen=127.0.0.*:PORT",), False),  # nor is this a pattern
])
def test_policy_tcp(sallyportd, keys, options, allowed):
    with Peer(digest_back) as peer:
        words = [w for o in options for w in ("-o", o.replace("PORT", str(peer.port)))]
        server = sallyportd(*words)
        done = subprocess.run(
            openssh_command(server, keys.user(), "-W", f"127.0.0.1:{peer.port}"),
            input=b"", capture_output=True, timeout=2 * PATIENCE, check=False,
        )
    if allowed:
        assert done.stdout, done
    else:
        assert (done.stdout, done.returncode) == (b"", 255), done
        server.err.wait(lambda line: "but the request was denied" in line)


@pytest.mark.parametrize("option,allowed", [
    ("AllowStreamLocalForwarding=yes", True),
    ("AllowStreamLocalForwarding=local", True),
    ("AllowStreamLocalForwarding=remote", False),
    ("AllowStreamLocalForwarding=no", False),
    ("DisableForwarding=yes", False),
])
def test_policy_unix(sallyportd, keys, unix_path, option, allowed):
    asyncssh = pytest.importorskip("asyncssh")
    server = sallyportd("-o", option)

    async def try_it():
        async with asyncssh.connect(
            "127.0.0.1", server.port, username=USER, client_keys=[keys.user()], known_hosts=None
        ) as conn:
            try:
                await conn.open_unix_connection(unix_path)
                return None
            except asyncssh.ChannelOpenError as refusal:
                return refusal.code

    with Peer(digest_back, unix_path):
        code = asyncio.run(asyncio.wait_for(try_it(), 2 * PATIENCE))
    assert code == (None if allowed else 1)
