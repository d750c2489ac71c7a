"""What the tests of listeners share: the server that they start, global requests, and the channels
that the server opens."""

import os
import signal

import pytest

from rawssh import (
    CHANNEL_CLOSE,
    CHANNEL_DATA,
    CHANNEL_EOF,
    CHANNEL_OPEN,
    GLOBAL_REQUEST,
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
from servers import Program, built, parse_json, wait_until


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
        wait_until(lambda: self.count() == (0, 0, 0), lambda: str(self.count()))

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
