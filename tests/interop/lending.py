"""What the tests of agent and X11 forwarding share: the server that they start
(tests/tools/session_server.c), a real agent, a real X server, and a raw client of both."""

import contextlib
import os
import re
import shutil
import signal
import socket
import stat
import struct
import subprocess

import pytest

from rawssh import (
    CHANNEL_DATA,
    CHANNEL_FAILURE,
    CHANNEL_OPEN,
    CHANNEL_SUCCESS,
    OPEN_CONFIRMATION,
    OPEN_FAILURE,
    Raw,
    Reader,
    boolean,
    string,
    u32,
)
from servers import PATIENCE, Program, built, parse_json, wait_until

AGENT = "auth-agent-req@openssh.com"
PROTOCOL = b"MIT-MAGIC-COOKIE-1"
CLIENT_COOKIE = "00112233445566778899aabbccddeeff"


class SessionServer(Program):
    """tests/tools/session_server"""

    parse = staticmethod(parse_json)

    def __init__(self, directory, *options):
        self.directory = directory
        arguments = ["--directory", str(directory)] + [str(o) for o in options]
        super().__init__([built("tools", "session_server")] + arguments)
        self.port = self.wait("listening")["port"]
        self.descriptors_at_first = self.descriptors()

    def wait(self, name, start=0, **fields):
        return self.out.wait(
            lambda e: e.get("event") == name and all(e.get(k) == v for k, v in fields.items()),
            start=start,
        )

    def mark(self):
        with self.out.condition:
            return len(self.out.items)

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def clean(self):
        """Nothing is left of any connection: no descriptor, no socket, no file, no directory."""
        wait_until(lambda: self.descriptors() == self.descriptors_at_first, self.left_over)
        wait_until(lambda: os.listdir(self.directory) == [], self.left_over)

    def left_over(self):
        fds = [
            os.readlink(f"/proc/{self.pid}/fd/{fd}") for fd in os.listdir(f"/proc/{self.pid}/fd")
        ]
        return f"{self.descriptors_at_first} at first, now {fds}; {os.listdir(self.directory)}"

    def close(self):
        code = self.finish(lambda: self.process.send_signal(signal.SIGTERM))
        assert code == 0, f"session_server ended with {code}"
        assert os.listdir(self.directory) == []


@pytest.fixture
def place(tmp_path_factory):
    """A directory with a short path: sockets have no room for long ones."""
    path = f"/tmp/sp-{os.getpid()}-{os.urandom(4).hex()}"
    os.mkdir(path, 0o700)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def start(place):
    running = []

    def one(*options):
        directory = f"{place}/{len(running)}"
        os.mkdir(directory)
        running.append(SessionServer(directory, *options))
        return running[-1]

    yield one
    for server in running:
        server.close()


@pytest.fixture
def server(start):
    server = start()
    yield server
    server.clean()


# ---- a real agent, a real X server


@pytest.fixture(scope="module")
def agent(keys, tmp_path_factory):
    """A running ssh-agent that has one key: what SSH_AUTH_SOCK must be."""
    path = f"/tmp/sp-agent-{os.getpid()}-{os.urandom(4).hex()}"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", path], stdout=subprocess.DEVNULL)
    wait_until(lambda: os.path.exists(path))
    subprocess.run(["ssh-add", "-q", keys.user()], env=dict(os.environ, SSH_AUTH_SOCK=path), check=True)
    yield path
    process.terminate()
    process.wait()
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


class Display:
    def __init__(self, name, authority, number):
        self.name = name
        self.authority = authority
        self.environment = dict(os.environ, DISPLAY=name, XAUTHORITY=authority)
        self.number = number


@pytest.fixture(scope="module")
def display(tmp_path_factory):
    """A real X server with a cookie. The server only wants a cookie from the authority file; its
    clients look for their display there, which is known when the server has started."""
    if not shutil.which("Xvfb") or not shutil.which("xdpyinfo"):
        pytest.skip("Xvfb or xdpyinfo is not installed")
    authority = str(tmp_path_factory.mktemp("x") / "authority")
    cookie = os.urandom(16)

    def add_entry(number):
        with open(authority, "ab") as file:
            file.write(struct.pack(">H", 256))  # this machine, by its name
            for field in (socket.gethostname().encode(), number.encode(), PROTOCOL, cookie):
                file.write(struct.pack(">H", len(field)) + field)

    add_entry("")
    reader, writer = os.pipe()
    process = subprocess.Popen(
        ["Xvfb", "-displayfd", str(writer), "-screen", "0", "64x64x24", "-auth", authority]
        + ["-nolisten", "tcp"],
        pass_fds=[writer],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(writer)
    with os.fdopen(reader) as pipe:
        number = pipe.readline().strip()
    assert number.isdigit(), "Xvfb did not start"
    add_entry(number)
    yield Display(f":{number}", authority, int(number))
    process.terminate()
    process.wait()


def run_ssh(server, *arguments, user="accept", **more):
    return subprocess.run(
        ["ssh", "-F", "none", "-p", str(server.port), "-o", "StrictHostKeyChecking=no"]
        + ["-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", "-T"]
        + list(arguments[:-1])
        + [f"{user}@127.0.0.1", arguments[-1]],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
        **more,
    )


def with_agent(path):
    return dict(os.environ, SSH_AUTH_SOCK=path)


# ---- a raw client


@contextlib.contextmanager
def login(server, user="accept"):
    with Raw(server.port) as raw:
        raw.handshake()
        raw.service()
        raw.none(user)
        yield raw


def request(raw, theirs, kind, *more):
    raw.channel_request(theirs, kind, *more)
    return raw.expect(CHANNEL_SUCCESS, CHANNEL_FAILURE)[0] == CHANNEL_SUCCESS


def x11_fields(single=False, protocol=PROTOCOL, cookie=CLIENT_COOKIE, screen=0):
    return [boolean(single), string(protocol), string(cookie), u32(screen)]


def hold(server, raw, *, agent=False, x11=None):
    """A session that does nothing; returns the server's channel number and what was lent."""
    _, theirs, _, _ = raw.open_session()
    mark = server.mark()
    if agent:
        assert request(raw, theirs, AGENT)
    if x11 is not None:
        assert request(raw, theirs, "x11-req", *x11)
    assert request(raw, theirs, "exec", string("hold"))
    return theirs, server.wait("started", start=mark)


def connect_unix(path):
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(PATIENCE)
    connection.connect(path)
    return connection


def take_open(raw):
    """The server opens a channel: its type, its number and what follows."""
    reader = Reader(raw.expect(CHANNEL_OPEN)[1:])
    kind, number = reader.text(), reader.u32()
    assert reader.u32() > 0 and reader.u32() >= 32
    return kind, number, reader


def confirm(raw, theirs, ours=77):
    raw.send(bytes([OPEN_CONFIRMATION]) + u32(theirs) + u32(ours) + u32(1 << 20) + u32(32768))


def refuse(raw, theirs, code=1):
    raw.send(bytes([OPEN_FAILURE]) + u32(theirs) + u32(code) + string("no") + string(""))


def take_data(raw, length):
    data = b""
    while len(data) < length:
        reader = Reader(raw.expect(CHANNEL_DATA)[1:])
        reader.u32()
        data += reader.string()
    return data


# ---- X11


def connect_x11(display, host="127.0.0.1"):
    number = int(re.fullmatch(r".*:(\d+)\.\d+", display).group(1))
    return socket.create_connection((host, 6000 + number), timeout=PATIENCE)


def setup_message(cookie, order="l", protocol=PROTOCOL, major=11):
    def padded(text):
        return text + bytes(-len(text) % 4)

    head = struct.pack(
        ("<" if order == "l" else ">") + "BxHHHHxx", ord(order), major, 0, len(protocol), len(cookie)
    )
    return head + padded(protocol) + padded(cookie)


def read_cookie(lent):
    """The authority file, taken apart: the same cookie for this host's name and for any."""
    path = lent["xauthority"]
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    with open(path, "rb") as file:
        data = file.read()
    entries = []
    at = 0
    while at < len(data):
        family = struct.unpack_from(">H", data, at)[0]
        at += 2
        fields = []
        for _ in range(4):
            length = struct.unpack_from(">H", data, at)[0]
            fields.append(data[at + 2 : at + 2 + length])
            at += 2 + length
        entries.append((family, *fields))
    number = re.fullmatch(r".*:(\d+)\.\d+", lent["display"]).group(1).encode()
    cookie = entries[0][4]
    assert entries == [
        (256, socket.gethostname().encode(), number, PROTOCOL, cookie),
        (65535, b"", number, PROTOCOL, cookie),
    ]
    assert len(cookie) == 16
    return cookie


def failure_of(connection, order):
    """The X protocol's refusal, and then the end."""
    data = b""
    while piece := connection.recv(4096):
        data += piece
    status, length, major, minor, words = struct.unpack_from(
        ("<" if order == "l" else ">") + "BBHHH", data
    )
    assert (status, major, minor) == (0, 11, 0) and len(data) == 8 + 4 * words, data
    return data[8 : 8 + length].decode()
