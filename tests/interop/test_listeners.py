"""Listening on the client's behalf: tcpip-forward and streamlocal-forward@openssh.com. The forms of
server_requested and unix_server_requested, channels to the client, rules that clients break, and
what the library listens on."""

import os
import socket

import pytest

from listening import (  # noqa: F401 - fixtures too
    answer,
    ask,
    cancel,
    cancel_path,
    EALREADY,
    ECONN,
    EINVAL,
    ESTATE,
    forward,
    forward_any,
    forward_path,
    Opened,
    server,
    start,
    unix_path,
)
from rawssh import (
    CHANNEL_CLOSE,
    CHANNEL_DATA,
    CHANNEL_EOF,
    CHANNEL_OPEN,
    OPEN_CONFIRMATION,
    OPEN_FAILURE,
    WINDOW_ADJUST,
    Reader,
    string,
    u32,
)
from servers import PATIENCE
from test_forwarding import Peer, connect, digest_back, login, read_all, take, wait_for_descriptors


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
