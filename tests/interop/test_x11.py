"""X11 forwarding, byte by byte: the first message of a program, whole, in pieces, wrong and slow;
strangers at the display; displays that run out."""

import contextlib
import os
import signal
import socket

import pytest

from lending import (  # noqa: F401 - fixtures too
    AGENT,
    CLIENT_COOKIE,
    confirm,
    connect_x11,
    display,
    failure_of,
    hold,
    login,
    place,
    read_cookie,
    request,
    server,
    setup_message,
    start,
    take_data,
    take_open,
    x11_fields,
)
from rawssh import string


@pytest.mark.parametrize("order", ["l", "B"])
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_x11_channel(server, order, host):
    with login(server) as raw:
        _, lent = hold(server, raw, x11=x11_fields(protocol=b"OTHER-1", cookie="ffEE01", screen=7))
        asked = server.wait("x11-request")
        assert (asked["x11"], asked["protocol"], asked["cookie"]) == (True, "OTHER-1", "ffEE01")
        assert (asked["screen"], asked["single"]) == (7, False)
        assert lent["display"].endswith(".7")
        with connect_x11(lent["display"], host) as program:
            program.sendall(setup_message(read_cookie(lent), order) + b"what follows")
            kind, theirs, reader = take_open(raw)
            assert kind == "x11"
            assert (reader.text(), reader.u32()) == (host, program.getsockname()[1])
            assert reader.rest() == b""
            confirm(raw, theirs)
            expected = setup_message(b"\xff\xee\x01", order, b"OTHER-1") + b"what follows"
            assert take_data(raw, len(expected)) == expected
            raw.data(theirs, b"welcome")
            assert program.recv(100) == b"welcome"


def test_x11_setup_in_pieces(server):
    with login(server) as raw:
        _, lent = hold(server, raw, x11=x11_fields())
        with connect_x11(lent["display"]) as program:
            program.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for byte in setup_message(read_cookie(lent)):
                program.sendall(bytes([byte]))
            _, theirs, _ = take_open(raw)
            confirm(raw, theirs)
            expected = setup_message(bytes.fromhex(CLIENT_COOKIE))
            assert take_data(raw, len(expected)) == expected


def test_x11_wrong(server):
    """None of these opens a channel: the first open that the client sees is the good one's."""
    with login(server) as raw:
        _, lent = hold(server, raw, x11=x11_fields())
        cookie = read_cookie(lent)
        spoilt = bytes([cookie[0] ^ 1]) + cookie[1:]
        for order in "lB":
            for message in (
                setup_message(spoilt, order),
                setup_message(bytes.fromhex(CLIENT_COOKIE), order),
                setup_message(b"", order, b""),
                setup_message(cookie, order, b"MIT-MAGIC-COOKIE-2"),
                setup_message(cookie + b"x", order),
                setup_message(cookie[:15], order),
                setup_message(cookie, order, major=10),
                setup_message(bytes(60000), order),
                setup_message(cookie, order, bytes(60000))[:5000],
            ):
                with connect_x11(lent["display"]) as program:
                    with contextlib.suppress(ConnectionError):
                        program.sendall(message)
                    if len(message) < 1000:
                        assert failure_of(program, order).startswith("Authorization failed")
        with connect_x11(lent["display"]) as program:  # no order of bytes to answer in
            program.sendall(b"GET / HTTP/1.0\r\n\r\n")
            with contextlib.suppress(ConnectionError):
                assert program.recv(100) == b""
        with connect_x11(lent["display"]) as program:
            program.sendall(setup_message(cookie))
            _, theirs, reader = take_open(raw)
            reader.text()
            assert reader.u32() == program.getsockname()[1]
            confirm(raw, theirs)


def test_x11_slow(start):
    server = start("--setup-ms", 200)
    with login(server) as raw:
        _, lent = hold(server, raw, x11=x11_fields())
        message = setup_message(read_cookie(lent))
        for length in (0, 1, 11, 12, len(message) - 1):
            with connect_x11(lent["display"]) as program:
                program.sendall(message[:length])
                assert program.recv(100) == b""
        with connect_x11(lent["display"]) as program:
            program.sendall(message)
            confirm(raw, take_open(raw)[1])
            assert take_data(raw, len(message)) == setup_message(bytes.fromhex(CLIENT_COOKIE))
    server.clean()


def test_x11_crowd_of_strangers(server):
    """Any number of connections that show nothing keep nobody out, and few of them stay."""
    with login(server) as raw:
        _, lent = hold(server, raw, x11=x11_fields())
        before = server.descriptors()
        with contextlib.ExitStack() as stack:
            idle = [stack.enter_context(connect_x11(lent["display"])) for _ in range(100)]
            assert idle[0].recv(100) == b""  # had to go
            good = stack.enter_context(connect_x11(lent["display"]))
            good.sendall(setup_message(read_cookie(lent)))
            confirm(raw, take_open(raw)[1])
            assert server.descriptors() <= before + 33


def test_x11_crowd_all_around(server):
    """The good one stands in the middle of a crowd that comes at once."""
    with login(server) as raw:
        _, lent = hold(server, raw, x11=x11_fields())
        message = setup_message(read_cookie(lent))
        with contextlib.ExitStack() as stack:
            os.kill(server.pid, signal.SIGSTOP)
            try:
                programs = [stack.enter_context(connect_x11(lent["display"])) for _ in range(50)]
                programs[10].sendall(message)
            finally:
                os.kill(server.pid, signal.SIGCONT)
            _, theirs, reader = take_open(raw)
            reader.text()
            assert reader.u32() == programs[10].getsockname()[1]
            confirm(raw, theirs)


def test_x11_single_connection(server):
    with login(server) as raw:
        _, lent = hold(server, raw, x11=x11_fields(single=True))
        cookie = read_cookie(lent)
        with connect_x11(lent["display"]) as wrong:  # does not count
            wrong.sendall(setup_message(bytes(16)))
            failure_of(wrong, "l")
        with connect_x11(lent["display"]) as idle, connect_x11(lent["display"]) as program:
            program.sendall(setup_message(cookie))
            _, theirs, _ = take_open(raw)
            assert idle.recv(100) == b""
            with pytest.raises(OSError):
                connect_x11(lent["display"])
            confirm(raw, theirs)
            take_data(raw, 48)
            raw.data(theirs, b"welcome")
            assert program.recv(100) == b"welcome"


@pytest.mark.parametrize(
    "fields",
    [
        {"protocol": b""},
        {"protocol": b"MIT MAGIC"},
        {"protocol": b"A" * 65},
        {"cookie": ""},
        {"cookie": "012"},
        {"cookie": "0x12"},
        {"cookie": "00" * 513},
        {"screen": 256},
        {"screen": 0xFFFFFFFF},
    ],
)
def test_x11_bad_request(server, fields):
    with login(server) as raw:
        _, theirs, _, _ = raw.open_session()
        assert request(raw, theirs, "x11-req", *x11_fields(**fields)) is False
        assert request(raw, theirs, "x11-req", *x11_fields()) is True


def test_x11_displays_used_up(start):
    """Two servers that begin at one number: a display that somebody has is passed over."""
    first, second = start("--offset", 4711, "--displays", 2), start("--offset", 4711, "--displays", 2)
    with login(first) as one, login(second) as two:
        _, lent = hold(first, one, x11=x11_fields())
        _, other = hold(second, two, x11=x11_fields())
        numbers = {lent["display"], other["display"]}
        assert numbers == {"localhost:4711.0", "localhost:4712.0"}
        _, theirs, _, _ = one.open_session()
        assert request(one, theirs, "x11-req", *x11_fields()) is False
        assert request(one, theirs, AGENT) is True
        first.wait("log", line="connection 1: the X11 display: address already in use")
    for server in (first, second):
        server.clean()


def test_x11_past_the_last_port(start):
    server = start("--offset", 65535 - 6000 + 1)
    with login(server) as raw:
        _, theirs, _, _ = raw.open_session()
        assert request(raw, theirs, "x11-req", *x11_fields()) is False
    server.clean()


def test_x11_everywhere(start):
    server = start("--everywhere")
    with login(server) as raw:
        _, lent = hold(server, raw, x11=x11_fields())
        assert lent["display"].startswith(socket.gethostname() + ":")
        with connect_x11(lent["display"], "127.0.0.2") as program:
            program.sendall(setup_message(read_cookie(lent)))
            assert take_open(raw)[0] == "x11"
    server.clean()


def test_directory_that_is_not_there(start):
    server = start()
    os.rmdir(server.directory)
    with login(server) as raw:
        _, theirs, _, _ = raw.open_session()
        assert request(raw, theirs, AGENT) is False
        assert request(raw, theirs, "x11-req", *x11_fields()) is False
        assert request(raw, theirs, "exec", string("hold")) is True
    os.mkdir(server.directory)
    server.clean()
