"""Listening on the client's behalf: tcpip-forward and streamlocal-forward@openssh.com. The forms of
server_requested and unix_server_requested, the library's own listening, channels to the client, rules
that clients break, and real clients."""

import asyncio
import contextlib
import hashlib
import os
import re
import resource
import signal
import socket
import stat
import subprocess
import threading
import time

import pytest

from clients import Key, Nothing, OpenSSH
from rawssh import (
    CHANNEL_CLOSE,
    CHANNEL_DATA,
    CHANNEL_EOF,
    CHANNEL_OPEN,
    GLOBAL_REQUEST,
    KEXINIT,
    OPEN_CONFIRMATION,
    OPEN_FAILURE,
    REQUEST_FAILURE,
    REQUEST_SUCCESS,
    WINDOW_ADJUST,
    Reader,
    boolean,
    string,
    u32,
)
from servers import PATIENCE, Example, Lines, Program, built, parse_json
from test_forwarding import (
    USER,
    Peer,
    check_digest,
    connect,
    digest_back,
    free_port,
    login,
    openssh_command,
    read_all,
    running,
    take,
    wait_for_descriptors,
)

ESTATE, EALREADY, EINVAL, ECONN = -21, -4, -2, -5


class ListenServer(Program):
    """tests/tools/listen_server"""

    parse = staticmethod(parse_json)

    def __init__(self, *arguments):
        super().__init__([built("tools", "listen_server"), *arguments])
        self.port = self.said("port")["result"]

    def said(self, name, start=0, **fields):
        def wanted(item):
            return item["event"] == name and all(item.get(k) == v for k, v in fields.items())

        return self.out.wait(wanted, start=start)

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def count(self):
        at = len(self.out.items)
        self.tell("count")
        found = self.said("count", start=at)
        return found["connections"], found["channels"], found["listeners"]

    def wait_for_nothing(self):
        end = time.monotonic() + PATIENCE
        while (found := self.count()) != (0, 0, 0):
            assert time.monotonic() < end, found
            time.sleep(0.01)

    def close(self):
        code = self.finish(lambda: self.process.send_signal(signal.SIGTERM))
        assert code == 0, f"listen_server ended with {code}"


@pytest.fixture
def start():
    started = []

    def make(*arguments):
        started.append(ListenServer(*arguments))
        return started[-1]

    yield make
    for server in started:
        server.close()


@pytest.fixture
def server(start):
    return start()


@pytest.fixture
def unix_path(tmp_path_factory):
    return str(tmp_path_factory.mktemp("s") / "socket")


def ask(raw, name, body, reply=True):
    raw.send(bytes([GLOBAL_REQUEST]) + string(name) + boolean(reply) + body)


def answer(raw, skip=()):
    """The body of a success, or None."""
    skip = (*skip, CHANNEL_DATA, CHANNEL_EOF, CHANNEL_CLOSE, WINDOW_ADJUST)
    message = raw.expect(REQUEST_SUCCESS, REQUEST_FAILURE, skip=skip)
    return message[1:] if message[0] == REQUEST_SUCCESS else None


def forward(raw, host, port, **options):
    ask(raw, "tcpip-forward", string(host) + u32(port), **options)
    return answer(raw)


def forward_any(raw, host="localhost"):
    """The port that was found."""
    return Reader(forward(raw, host, 0)).u32()


def cancel(raw, host, port, skip=()):
    ask(raw, "cancel-tcpip-forward", string(host) + u32(port))
    return answer(raw, skip)


def forward_path(raw, path):
    ask(raw, "streamlocal-forward@openssh.com", string(path))
    return answer(raw)


def cancel_path(raw, path):
    ask(raw, "cancel-streamlocal-forward@openssh.com", string(path))
    return answer(raw)


class Opened:
    """A channel that the server opens."""

    def __init__(self, raw, skip=()):
        self.raw = raw
        reader = Reader(raw.expect(CHANNEL_OPEN, skip=skip)[1:])
        self.type = reader.text()
        self.theirs, self.window, self.packet = reader.u32(), reader.u32(), reader.u32()
        if self.type == "forwarded-tcpip":
            self.place = (reader.text(), reader.u32())
            self.orig = (reader.text(), reader.u32())
        else:
            self.place = reader.text()
            assert reader.text() == ""  # reserved
        assert reader.rest() == b""
        self.ours = raw.channels
        raw.channels += 1

    def confirm(self, window=1 << 20, packet=32768):
        self.raw.send(
            bytes([OPEN_CONFIRMATION]) + u32(self.theirs) + u32(self.ours) + u32(window) + u32(packet)
        )
        return self

    def refuse(self, code, text):
        self.raw.send(bytes([OPEN_FAILURE]) + u32(self.theirs) + u32(code) + string(text) + string(""))

    def data(self, data):
        self.raw.data(self.theirs, data)

    def eof(self):
        self.raw.send(bytes([CHANNEL_EOF]) + u32(self.theirs))

    def close(self):
        self.raw.send(bytes([CHANNEL_CLOSE]) + u32(self.theirs))


# The same for a port and for a path.
KINDS = {
    "tcp": (forward, cancel, lambda name: (name, 4242)),
    "unix": (forward_path, cancel_path, lambda name: (name,)),
}


@pytest.fixture(params=list(KINDS))
def kind(request):
    return request.param


def begin(raw, kind, name):
    do, _, place = KINDS[kind]
    return do(raw, *place(name))


def end(raw, kind, name):
    _, do, place = KINDS[kind]
    return do(raw, *place(name))


# ---- server_requested, unix_server_requested: the forms ------------------------------------------


def test_server_requested_default(start, kind):
    server = start("--no-handlers")
    with login(server.port) as raw:
        assert begin(raw, kind, "own.test") is None


def test_server_requested_arguments(server, unix_path):
    with login(server.port) as raw:
        forward(raw, "refuse.test", 65535)
        server.said("server_requested", host="refuse.test", port=65535, same=True)
        forward_path(raw, unix_path)
        server.said("unix_server_requested", path=unix_path, same=True)


@pytest.mark.parametrize("name", ["own.test", "later-own.test"])
def test_server_requested_own(server, kind, name):
    """A listener of the application's: it opens a channel at once, which comes behind the reply."""
    with login(server.port) as raw:
        assert begin(raw, kind, name) == b""
        opened = Opened(raw)
        if kind == "tcp":
            assert (opened.type, opened.place) == ("forwarded-tcpip", (name, 4242))
            assert opened.orig == ("192.0.2.9", 99)
        else:
            assert (opened.type, opened.place) == ("forwarded-streamlocal@openssh.com", name)
        assert server.said("create")["result"] == 0
        assert server.said("early")["result"] == ESTATE
        opened.confirm()
        opened.data(b"x" * 1000)
        assert take(raw, 1006) == b"hello\n" + b"x" * 1000
        server.said("made")
        opened.eof()
        raw.expect(CHANNEL_EOF)
        raw.expect(CHANNEL_CLOSE)
        opened.close()
        server.said("lost", data=7, error=0)
        assert end(raw, kind, name) == b""
        server.said("closed", data=True)
        server.said("waited")
        assert end(raw, kind, name) is None
        assert server.count() == (1, 0, 0)


def test_own_listener_with_any_port(server):
    with login(server.port) as raw:
        assert forward(raw, "own.test", 0) == u32(4242)
        server.said("listening", host="own.test", port=4242)
        assert Opened(raw).place == ("own.test", 4242)
        assert cancel(raw, "own.test", 0) is None
        assert cancel(raw, "own.test", 4242) == b""


@pytest.mark.parametrize("name", ["refuse.test", "later-refuse.test"])
def test_server_requested_refuse(server, kind, name):
    with login(server.port) as raw:
        assert begin(raw, kind, name) is None
        assert end(raw, kind, name) is None


def test_server_requested_twice(server, kind):
    with login(server.port) as raw:
        assert begin(raw, kind, "twice.test") == b""
        assert server.said("second")["result"] == EALREADY
    server.said("closed", data=True)


def test_server_requested_own_without_a_port(server):
    with login(server.port) as raw:
        assert forward(raw, "wrong.test", 0) is None
        assert server.said("wrong")["result"] == EINVAL


def test_server_requested_later_after_the_client_left(server, kind):
    with login(server.port) as raw:
        do, _, place = KINDS[kind]
        name = "tcpip-forward" if kind == "tcp" else "streamlocal-forward@openssh.com"
        body = string("never.test") + (u32(1) if kind == "tcp" else b"")
        ask(raw, name, body)
        server.said("asked")
    assert server.said("late")["result"] == ECONN
    server.said("gone")
    server.wait_for_nothing()


@pytest.mark.parametrize("name", ["later-forward.test", "later-accept.test"])
def test_server_requested_later_forward(server, name):
    with Peer(digest_back):
        with login(server.port) as raw:
            port = forward_any(raw, name)
            one = connect(("127.0.0.1", port))
            opened = Opened(raw).confirm()
            assert opened.place == (name, port)
            one.close()


def test_no_reply_wanted(server):
    with login(server.port) as raw:
        ask(raw, "tcpip-forward", string("own.test") + u32(4242), reply=False)
        assert Opened(raw).place == ("own.test", 4242)
        ask(raw, "cancel-tcpip-forward", string("own.test") + u32(4242), reply=False)
        server.said("closed", host="own.test")


def test_replies_keep_the_order(server):
    """Answered last first, with requests between them that nobody is asked about."""
    with login(server.port) as raw:
        ask(raw, "tcpip-forward", string("hold.test") + u32(0))
        ask(raw, "keepalive@openssh.com", b"")
        ask(raw, "tcpip-forward", string("hold.test") + u32(77))
        ask(raw, "streamlocal-forward@openssh.com", string("hold.test"))
        ask(raw, "tcpip-forward", string("refuse.test") + u32(1))
        ask(raw, "tcpip-forward", string("hold.test") + u32(0))
        server.said("held", result=4)
        ask(raw, "tcpip-forward", string("release.test") + u32(1))
        assert [answer(raw) for _ in range(7)] == [u32(5000), None, b"", b"", None, u32(5003), None]


def test_a_cancellation_waits_for_the_answer(server):
    with login(server.port) as raw:
        ask(raw, "tcpip-forward", string("hold.test") + u32(77))
        ask(raw, "cancel-tcpip-forward", string("hold.test") + u32(77))
        server.said("held", result=1)
        raw.open_session()  # channels go on meanwhile
        with login(server.port) as other:
            forward(other, "release.test", 1)
            assert (answer(raw), answer(raw)) == (b"", b"")
            server.said("closed", host="hold.test")


def test_the_client_leaves_while_it_is_asked(server):
    base = server.descriptors()
    with login(server.port) as raw:
        for port in range(5):
            ask(raw, "tcpip-forward", string("hold.test") + u32(port + 1))
        ask(raw, "cancel-tcpip-forward", string("hold.test") + u32(1))
        server.said("held", result=5)
    server.said("gone")
    with login(server.port) as raw:
        forward(raw, "release.test", 1)
        assert server.said("released")["result"] == ECONN
    server.wait_for_nothing()
    wait_for_descriptors(server, base)


# ---- the client's answers to our opens ----------------------------------------------------------


def test_the_client_refuses(server, kind):
    with login(server.port) as raw:
        begin(raw, kind, "own.test")
        Opened(raw).refuse(1, "not \x1b[31mred")
        server.said(
            "lost", data=7, error=ECONN, code=1, from_peer=True, message="not ?[31mred"
        )
        raw.open_session()


def test_taken_back_before_the_answer(server):
    with login(server.port) as raw:
        forward(raw, "back.test", 4242)
        opened = Opened(raw)
        assert server.said("back")["result"] == 0
        opened.confirm()
        raw.expect(CHANNEL_CLOSE)
        opened.close()
        server.said("lost", data=7, error=0)
    server.said("gone")


def test_the_client_leaves_before_its_answer(server):
    with login(server.port) as raw:
        forward(raw, "own.test", 4242)
        Opened(raw)
    server.said("lost", data=7, error=-24)  # the end came unannounced
    server.said("gone")
    assert server.count() == (0, 0, 0)


def raw_confirmation(number, packet=32768):
    return bytes([OPEN_CONFIRMATION]) + u32(number) + u32(0) + u32(1 << 20) + u32(packet)


def raw_failure(number):
    return bytes([OPEN_FAILURE]) + u32(number) + u32(1) + string("") + string("")


@pytest.mark.parametrize("what", [
    "confirms nothing", "refuses nothing", "confirms another", "confirms its own open",
    "small packet", "confirms twice", "refuses then confirms", "data first", "adjust first",
    "close first", "trailing bytes", "short",
])
def test_broken_answers_disconnect(server, what):
    with login(server.port) as raw:
        if what == "confirms nothing":
            raw.send(raw_confirmation(0))
        elif what == "refuses nothing":
            raw.send(raw_failure(0))
        elif what == "confirms its own open":
            _, theirs, _, _ = raw.open_session()
            raw.send(raw_confirmation(theirs))
        else:
            forward(raw, "own.test", 4242)
            opened = Opened(raw)
            messages = {
                "confirms another": [raw_confirmation(opened.theirs + 1)],
                "small packet": [raw_confirmation(opened.theirs, 31)],
                "confirms twice": [raw_confirmation(opened.theirs)] * 2,
                "refuses then confirms": [raw_failure(opened.theirs), raw_confirmation(opened.theirs)],
                "data first": [bytes([CHANNEL_DATA]) + u32(opened.theirs) + string("x")],
                "adjust first": [bytes([WINDOW_ADJUST]) + u32(opened.theirs) + u32(1)],
                "close first": [bytes([CHANNEL_CLOSE]) + u32(opened.theirs)],
                "trailing bytes": [raw_confirmation(opened.theirs) + b"x"],
                "short": [raw_confirmation(opened.theirs)[:-1]],
            }
            for message in messages[what]:
                raw.send(message)
        assert raw.expect_closed().code == 2
    server.said("gone")
    server.wait_for_nothing()


@pytest.mark.parametrize("kind_of_open", ["forwarded-tcpip", "x11", "auth-agent@openssh.com"])
def test_clients_do_not_open_what_servers_do(server, kind_of_open):
    with login(server.port) as raw:
        raw.open(kind_of_open, more=string("h") + u32(1) + string("h") + u32(1))
        reader = Reader(raw.expect(OPEN_FAILURE)[1:])
        reader.u32()
        assert reader.u32() == 3


# ---- bad requests -------------------------------------------------------------------------------


@pytest.mark.parametrize("name,body", [
    ("tcpip-forward", b""), ("tcpip-forward", string("h")), ("tcpip-forward", string("h") + u32(1) + b"x"),
    ("cancel-tcpip-forward", string("h") + b"\0"), ("streamlocal-forward@openssh.com", u32(5) + b"four"),
    ("streamlocal-forward@openssh.com", string("p") + b"x"),
    ("cancel-streamlocal-forward@openssh.com", b"\0\0\0"),
])
def test_malformed_requests_disconnect(server, name, body):
    with login(server.port) as raw:
        ask(raw, name, body)
        assert raw.expect_closed().code == 2


def test_impossible_requests_are_refused(server):
    with login(server.port) as raw:
        assert forward(raw, "h", 65536) is None
        assert forward(raw, "a\0b", 80) is None
        assert forward(raw, "h" * 4097, 80) is None
        assert forward_path(raw, "") is None
        assert forward_path(raw, "a\0b") is None
        assert forward_path(raw, "/" + "p" * 200) is None
        assert cancel(raw, "localhost", 1) is None
        assert cancel_path(raw, "/no/such/path") is None
        assert forward_path(raw, "/no/such/folder/socket") is None


def test_too_many_waiting_requests_disconnect(server):
    with login(server.port) as raw:
        ask(raw, "tcpip-forward", string("never.test") + u32(1))
        for _ in range(255):
            ask(raw, "keepalive@openssh.com", b"")
        raw.open_session()
        ask(raw, "keepalive@openssh.com", b"")
        assert raw.expect_closed().code == 2


def test_max_listeners(start):
    server = start("--max-listeners", "3")
    with login(server.port) as raw:
        ports = [forward_any(raw) for _ in range(3)]
        assert forward(raw, "localhost", 0) is None
        assert forward(raw, "own.test", 1) is None
        assert cancel(raw, "localhost", ports[1]) == b""
        forward_any(raw)
        with login(server.port) as other:
            forward_any(other)
        assert server.count()[2] >= 3


# ---- the library listens ------------------------------------------------------------------------


@pytest.mark.parametrize("options", [(), ("--plain",)])
def test_forwarding(start, options):
    server = start(*options)
    with login(server.port) as raw:
        port = forward_any(raw, "a host, as the client wrote it")
        one = connect(("127.0.0.1", port))
        opened = Opened(raw)
        assert opened.place == ("a host, as the client wrote it", port)
        assert opened.orig == ("127.0.0.1", one.getsockname()[1])
        one.sendall(b"early")  # waits in the socket for the confirmation
        opened.confirm()
        assert take(raw, 5) == b"early"
        opened.data(b"abc")
        opened.eof()
        assert read_all(one) == b"abc"
        one.sendall(b"late")
        one.close()
        assert take(raw, 4) == b"late"
        raw.expect(CHANNEL_EOF)
        raw.expect(CHANNEL_CLOSE)
        opened.close()
        assert cancel(raw, "a host, as the client wrote it", port) == b""
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)


def test_forwarding_a_path(server, unix_path):
    with login(server.port) as raw:
        assert forward_path(raw, unix_path) == b""
        one = connect(unix_path)
        opened = Opened(raw).confirm()
        assert (opened.type, opened.place) == ("forwarded-streamlocal@openssh.com", unix_path)
        opened.data(b"abc")
        opened.eof()
        assert read_all(one) == b"abc"
        one.close()
        raw.expect(CHANNEL_EOF)
        assert cancel_path(raw, unix_path) == b""
        assert not os.path.exists(unix_path)


def test_cancelling_leaves_connections_alone(server):
    with login(server.port) as raw:
        port = forward_any(raw)
        with connect(("127.0.0.1", port)) as one:
            opened = Opened(raw).confirm()
            assert cancel(raw, "localhost", port) == b""
            opened.data(b"abc")
            assert one.recv(3) == b"abc"


def test_a_refused_connection_is_closed(server):
    with login(server.port) as raw:
        port = forward_any(raw)
        with connect(("127.0.0.1", port)) as one:
            Opened(raw).refuse(2, "nobody there")
            assert one.recv(1) == b""
        with connect(("127.0.0.1", port)) as one:  # and the listener goes on
            Opened(raw).confirm().data(b"x")
            assert one.recv(1) == b"x"


def test_several_at_once(server, unix_path):
    with login(server.port) as raw:
        ports = [forward_any(raw) for _ in range(10)]
        assert len(set(ports)) == 10
        forward_path(raw, unix_path)
        assert server.count() == (1, 0, 11)
        assert cancel(raw, "localhost", ports[4]) == b""
        for port in ports[:4] + ports[5:]:
            with connect(("127.0.0.1", port)):
                opened = Opened(raw)
                assert opened.place == ("localhost", port)
                opened.refuse(2, "")
    server.wait_for_nothing()
    for port in ports:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
    assert not os.path.exists(unix_path)


def test_a_port_in_use(server):
    with socket.socket() as taken, login(server.port) as raw:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert forward(raw, "localhost", port) is None
        server.said("closed", host="localhost", port=port)
        mine = forward_any(raw)
        assert forward(raw, "localhost", mine) is None
        assert forward(raw, "twice.test", 1) == b""
        assert forward(raw, "twice.test", 1) is None
        with login(server.port) as other:
            assert forward(other, "localhost", mine) is None
            cancel(raw, "localhost", mine, skip=(CHANNEL_OPEN,))
            assert forward(other, "localhost", mine) == b""


def test_the_server_closes_listeners(server):
    with login(server.port) as raw:
        port = forward_any(raw)
        forward(raw, "twice.test", 1)
        server.tell("close")
        server.said("closed_conn", result=1)
        server.said("closed", port=port)
        server.said("closed", host="twice.test")
        assert cancel(raw, "localhost", port) is None
        assert forward(raw, "localhost", port) == b""


def reaches(address, port):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as one:
        one.settimeout(PATIENCE)
        return one.connect_ex((address, port)) == 0


# By 127.0.0.2 one sees that all addresses are listened on.
@pytest.mark.parametrize("gateway,host,reached", [
    ("no", "", "127.0.0.1 ::1"),
    ("no", "*", "127.0.0.1 ::1"),
    ("no", "localhost", "127.0.0.1 ::1"),
    ("no", "0.0.0.0", "127.0.0.1 ::1"),
    ("no", "127.0.0.2", "127.0.0.1 ::1"),
    ("no", "some.name", "127.0.0.1 ::1"),
    ("no", "127.0.0.1", "127.0.0.1"),
    ("no", "::1", "::1"),
    ("yes", "", "127.0.0.1 ::1 127.0.0.2"),
    ("yes", "localhost", "127.0.0.1 ::1 127.0.0.2"),
    ("yes", "127.0.0.1", "127.0.0.1 ::1 127.0.0.2"),
    ("client", "", "127.0.0.1 ::1 127.0.0.2"),
    ("client", "*", "127.0.0.1 ::1 127.0.0.2"),
    ("client", "0.0.0.0", "127.0.0.1 127.0.0.2"),
    ("client", "::", "::1"),
    ("client", "localhost", "127.0.0.1 ::1"),
    ("client", "LOCALHOST", None),  # looked up
    ("client", "127.0.0.1", "127.0.0.1"),
    ("client", "::1", "::1"),
    ("client", "127.0.0.2", "127.0.0.2"),
    ("client", "192.0.2.1", ""),
    ("client", "no.such.name.invalid", ""),
    ("client", "x" * 300, ""),
])
def test_gateway_ports(start, gateway, host, reached):
    server = start("--gateway", gateway)
    with login(server.port) as raw:
        reply = forward(raw, host, 0)
        if reached == "":
            assert reply is None
            return
        port = Reader(reply).u32()
        assert port != 0
        found = [a for a in ("127.0.0.1", "::1", "127.0.0.2") if reaches(a, port)]
        if reached is None:
            assert "127.0.0.2" not in found and found
        else:
            assert found == reached.split()


def test_the_client_leaves_during_a_look_up(start):
    server = start("--gateway", "client")
    base = server.descriptors()
    for _ in range(20):
        with login(server.port) as raw:
            ask(raw, "tcpip-forward", string("no.such.name.invalid") + u32(0))
    server.wait_for_nothing()
    wait_for_descriptors(server, base)


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
    end_of_wait = time.monotonic() + PATIENCE
    while server.count()[1] == 0:
        assert time.monotonic() < end_of_wait
        time.sleep(0.01)


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


# ---- clients that we did not write --------------------------------------------------------------


@pytest.fixture
def openssh(keys):
    def command(server, *more):
        return openssh_command(server, keys.user(), *more)

    return command


def test_openssh_remote_forwarding(server, openssh):
    port = free_port()
    with Peer(digest_back) as peer:
        with running(openssh(server, "-N", "-R", f"{port}:127.0.0.1:{peer.port}")):
            check_digest(connect(("127.0.0.1", port)))
            failures = []

            def one():
                try:
                    check_digest(connect(("127.0.0.1", port)), 200_000)
                except Exception as error:  # noqa: BLE001 - told by the main thread
                    failures.append(error)

            threads = [threading.Thread(target=one) for _ in range(40)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert not failures, failures


def test_openssh_any_port_several_at_once(server, openssh):
    with Peer(digest_back) as one, Peer(digest_back) as two, Peer(digest_back) as three:
        words = [w for p in (one, two, three) for w in ("-R", f"0:127.0.0.1:{p.port}")]
        arguments = openssh(server, "-N", *words)
        arguments[arguments.index("LogLevel=ERROR")] = "LogLevel=INFO"
        process = subprocess.Popen(
            arguments, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        try:
            said = Lines(process.stderr, re.compile(r"Allocated port (\d+) for remote forward").match)
            said.wait(lambda unused: sum(map(bool, said.items)) == 3)
            ports = [int(found.group(1)) for found in said.items if found]
            assert len(set(ports)) == 3
            for port in ports:
                check_digest(connect(("127.0.0.1", port)), 100_000)
        finally:
            process.kill()
            process.wait()
            process.stderr.close()
    server.wait_for_nothing()


def test_openssh_control_master(server, openssh, tmp_path):
    """-O forward and -O cancel."""
    control = str(tmp_path / "control")
    arguments = openssh(server, "-N", "-M", "-S", control)
    with Peer(digest_back) as peer, running(arguments):
        connect(control).close()

        def tell(*words):
            return subprocess.run(
                ["ssh", "-F", "none", "-S", control, *words, "127.0.0.1"], capture_output=True,
                text=True, timeout=PATIENCE, check=False,
            )

        done = tell("-O", "forward", "-R", f"0:127.0.0.1:{peer.port}")
        port = int(done.stdout)
        check_digest(connect(("127.0.0.1", port)), 100_000)
        other = free_port()
        assert tell("-O", "forward", "-R", f"{other}:127.0.0.1:{peer.port}").returncode == 0
        check_digest(connect(("127.0.0.1", other)), 100_000)
        assert server.count()[2] == 2
        assert tell("-O", "cancel", "-R", f"{other}:127.0.0.1:{peer.port}").returncode == 0
        server.said("closed", port=other)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", other), timeout=PATIENCE)
        check_digest(connect(("127.0.0.1", port)), 100_000)


def test_openssh_refused(server, openssh):
    done = subprocess.run(
        openssh(server, "-N", "-R", "refuse.test:0:127.0.0.1:1"), capture_output=True,
        timeout=2 * PATIENCE, check=False,
    )
    assert done.returncode == 255
    assert b"remote port forwarding failed" in done.stderr


def test_openssh_remote_unix_to_unix(server, openssh, unix_path):
    local = unix_path + ".local"
    with Peer(digest_back, local):
        with running(openssh(server, "-N", "-R", f"{unix_path}:{local}")):
            check_digest(connect(unix_path))
    server.wait_for_nothing()
    assert not os.path.exists(unix_path)


def test_openssh_remote_unix_to_tcp_and_back(server, openssh, unix_path):
    port = free_port()
    local = unix_path + ".local"
    with Peer(digest_back) as peer, Peer(digest_back, local):
        words = ("-R", f"{unix_path}:127.0.0.1:{peer.port}", "-R", f"{port}:{local}")
        with running(openssh(server, "-N", *words)):
            check_digest(connect(("127.0.0.1", port)), 100_000)
            check_digest(connect(unix_path), 100_000)


def test_openssh_remote_dynamic(server, openssh):
    """ssh -R PORT: the client is a SOCKS server at the far end."""
    port = free_port()

    def serve(connection):
        while b"\r\n\r\n" not in (request := connection.recv(65536)):
            assert request
        connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nfunny")

    with Peer(serve) as peer:
        with running(openssh(server, "-N", "-R", str(port))):
            connect(("127.0.0.1", port)).close()
            done = subprocess.run(
                ["curl", "-sS", "--socks5-hostname", f"127.0.0.1:{port}",
                 f"http://127.0.0.1:{peer.port}/"],
                capture_output=True, timeout=PATIENCE, check=False,
            )
            assert (done.stdout, done.returncode) == (b"funny", 0), done


@pytest.mark.parametrize("name", ["plink", "dbclient"])
def test_other_remote_forwarding(all_clients, start, keys, name):
    server = start("--host-key", keys.host())
    client = all_clients[name]
    port = free_port()
    with Peer(digest_back) as peer:
        arguments = client.arguments(server, None, USER, Key(keys.user()), {})
        arguments[1:1] = ["-N", "-R", f"{port}:127.0.0.1:{peer.port}"]
        with running(arguments, client.environment()):
            for _ in range(3):
                check_digest(connect(("127.0.0.1", port)), 500_000)
    server.wait_for_nothing()


def test_asyncssh_listeners(server, unix_path):
    asyncssh = pytest.importorskip("asyncssh")

    def digest_handler(orig_host, orig_port):
        assert orig_host == "127.0.0.1" and orig_port

        async def serve(reader, writer):
            content = await reader.read()
            writer.write(hashlib.sha256(content).hexdigest().encode())
            writer.write_eof()

        return serve

    async def in_thread(function, *arguments):
        await asyncio.get_running_loop().run_in_executor(None, function, *arguments)

    async def all_of_it(peer_port, local):
        async with asyncssh.connect(
            "127.0.0.1", server.port, username=USER, known_hosts=None, client_keys=None
        ) as conn:
            listener = await conn.start_server(digest_handler, "localhost", 0)
            port = listener.get_port()
            await in_thread(lambda: check_digest(connect(("127.0.0.1", port)), 300_000))
            listener.close()
            await listener.wait_closed()
            server.said("closed", port=port)

            listener = await conn.forward_remote_port("", 0, "127.0.0.1", peer_port)
            await in_thread(lambda: check_digest(connect(("127.0.0.1", listener.get_port())), 300_000))
            await conn.forward_remote_path(unix_path, local)
            await in_thread(lambda: check_digest(connect(unix_path), 300_000))
            with pytest.raises(asyncssh.ChannelListenError):
                await conn.start_server(digest_handler, "refuse.test", 0)

            async def own(reader, writer):
                pass

            listener = await conn.start_server(lambda *orig: own, "own.test", 0)
            assert listener.get_port() == 4242
            server.said("create", result=0)

    local = unix_path + ".local"
    with Peer(digest_back) as peer, Peer(digest_back, local):
        asyncio.run(asyncio.wait_for(all_of_it(peer.port, local), 2 * PATIENCE))
    server.wait_for_nothing()


def test_paramiko_port_forward(server):
    paramiko = pytest.importorskip("paramiko")
    transport = paramiko.Transport(("127.0.0.1", server.port))
    try:
        transport.start_client(timeout=PATIENCE)
        transport.auth_none(USER)
        port = transport.request_port_forward("", 0)
        one = connect(("127.0.0.1", port))
        channel = transport.accept(PATIENCE)
        channel.settimeout(PATIENCE)
        one.sendall(b"through")
        one.shutdown(socket.SHUT_WR)
        assert read_all(channel) == b"through"
        channel.sendall(b"and back")
        channel.shutdown_write()
        assert read_all(one) == b"and back"
        one.close()
        transport.cancel_port_forward("", port)
        server.said("closed", port=port)
        with pytest.raises(paramiko.SSHException):
            transport.request_port_forward("refuse.test", 0)
    finally:
        transport.close()
    server.wait_for_nothing()


# ---- the example --------------------------------------------------------------------------------


def test_example_reverse_tunnel(keys, tmp_path):
    with Example("reverse_tunnel") as server, Peer(digest_back) as peer:
        offer = openssh_command(server, keys.user(), "-N", "-R", f"0:127.0.0.1:{peer.port}")
        offer[offer.index(USER)] = "alice"
        with running(offer):
            line = server.out.wait(lambda text: text.endswith(" leads to alice"))
            port = int(line.split()[1])
            check_digest(connect(("127.0.0.1", port)), 100_000)
            told = OpenSSH(tmp_path, keys).run(server, "list", user="bob", auth=Nothing())
            assert (told.code, told.text) == (0, f"port {port} leads to alice\r\n")
        with Peer(lambda connection: connection.sendall(b"who is there?")) as door:
            ring = openssh_command(server, keys.user(), "-N", "-R", f"doorbell:0:127.0.0.1:{door.port}")
            ring[ring.index(USER)] = "carol"
            with running(ring):
                server.out.wait(lambda text: text == "carol says: who is there?")
