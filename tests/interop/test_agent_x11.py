"""What a client lends to its sessions: its authentication agent and its X server. The forms of
agent_requested and x11_requested, real clients with a real agent and a real X server, a raw client
that looks at each byte, and what is left behind when the client vanishes: nothing."""

import asyncio
import contextlib
import os
import re
import shutil
import signal
import socket
import stat
import struct
import subprocess
import time

import pytest

from rawssh import (
    CHANNEL_CLOSE,
    CHANNEL_DATA,
    CHANNEL_EOF,
    CHANNEL_FAILURE,
    CHANNEL_OPEN,
    CHANNEL_REQUEST,
    CHANNEL_SUCCESS,
    OPEN_CONFIRMATION,
    OPEN_FAILURE,
    Raw,
    Reader,
    boolean,
    string,
    u32,
)
from servers import PATIENCE, Program, built, parse_json

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


def wait_until(holds, why=lambda: "never"):
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, why()
        time.sleep(0.01)


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


# ---- real clients, a real agent, a real X server


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


@pytest.mark.parametrize("user", ["accept", "later", "twice"])
def test_ssh_agent(server, agent, keys, user):
    result = run_ssh(server, "-A", "ssh-add -l", user=user, env=with_agent(agent))
    assert keys.fingerprint(keys.user()) in result.stdout, result
    assert result.returncode == 0
    assert server.wait("agent-request")["x11"] is False


@pytest.mark.parametrize("user", ["refuse", "absent", "later-refuse"])
def test_ssh_agent_refused(server, agent, user):
    result = run_ssh(server, "-A", "echo $SSH_AUTH_SOCK; ssh-add -l", user=user, env=with_agent(agent))
    assert result.stdout == "/nowhere\n" and result.returncode == 2, result
    assert server.wait("started")["agent"] is None


def test_ssh_without_agent(server, agent):
    assert run_ssh(server, "-a", "echo $SSH_AUTH_SOCK", env=with_agent(agent)).stdout == "/nowhere\n"


def test_environment(server, agent):
    """The library's variables take the place of the application's, and only these."""
    result = run_ssh(server, "-A", "env", env=with_agent(agent))
    lines = result.stdout.splitlines()
    path = server.wait("started")["agent"]
    assert f"SSH_AUTH_SOCK={path}" in lines and path.startswith(server.directory + "/sallyport-")
    assert len([line for line in lines if line.startswith("SSH_AUTH_SOCK=")]) == 1
    assert {"DISPLAY=nowhere:0", "XAUTHORITY=/nowhere", "LAST=1"} <= set(lines)


def test_twenty_at_once(server, agent, keys):
    command = "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do ssh-add -l & done; wait"
    result = run_ssh(server, "-A", command, env=with_agent(agent))
    assert result.stdout.count(keys.fingerprint(keys.user())) == 20, result


def test_nested(server, agent, keys):
    inner = (
        f"ssh -A -F none -p {server.port} -T -o StrictHostKeyChecking=no -o LogLevel=ERROR"
        " -o UserKnownHostsFile=/dev/null accept@127.0.0.1"
    )
    result = run_ssh(server, "-A", f"{inner} '{inner} ssh-add -l'", env=with_agent(agent))
    assert keys.fingerprint(keys.user()) in result.stdout, result


def test_signature_through_it(server, agent, keys, tmp_path):
    """More than a list: the agent signs, through the forwarded socket."""
    message = tmp_path / "message"
    message.write_text("hello")
    command = f"ssh-keygen -q -Y sign -n file -f {keys.user()}.pub {message} && cat {message}.sig"
    result = run_ssh(server, "-A", command, env=with_agent(agent))
    assert "BEGIN SSH SIGNATURE" in result.stdout, result


def test_application_uses_agent(server, agent):
    result = run_ssh(server, "-A", "agent", env=with_agent(agent))
    assert result.stdout == "1 keys\n" and result.returncode == 0, result
    assert server.wait("agent-lost")["error"] == 0


@pytest.mark.parametrize("flags,user", [(["-a"], "accept"), (["-A"], "refuse")])
def test_application_may_not_use_agent(server, agent, flags, user):
    result = run_ssh(server, *flags, "agent", user=user, env=with_agent(agent))
    assert result.returncode == 2 and result.stdout == ""
    assert server.wait("agent-connection")["result"] == -15  # SP_EACCES


@pytest.mark.parametrize("flag", ["-X", "-Y"])
def test_ssh_x11(server, display, flag):
    result = run_ssh(server, flag, "echo $DISPLAY; xdpyinfo", env=display.environment)
    lines = result.stdout.splitlines()
    assert re.fullmatch(r"localhost:\d+\.0", lines[0]), result
    assert lines[1].startswith("name of display:") and "X.Org version" in result.stdout, result
    assert server.wait("started")["display"] == lines[0]


def test_ssh_x11_many(server, display):
    command = "for i in 1 2 3 4 5 6 7 8; do xdpyinfo & done; wait"
    result = run_ssh(server, "-Y", command, env=display.environment)
    assert result.stdout.count("X.Org version") == 8, result


def test_ssh_x11_nested(server, display):
    """ssh asks xauth for the cookie of the proxy display, by the host's name."""
    inner = (
        f"ssh -Y -F none -p {server.port} -T -o StrictHostKeyChecking=no -o LogLevel=ERROR"
        " -o UserKnownHostsFile=/dev/null accept@127.0.0.1 xdpyinfo"
    )
    result = run_ssh(server, "-Y", inner, env=display.environment)
    assert "X.Org version" in result.stdout, result


@pytest.mark.parametrize("user", ["refuse", "absent", "later-refuse"])
def test_ssh_x11_refused(server, display, user):
    result = run_ssh(server, "-Y", "echo $DISPLAY", user=user, env=display.environment)
    assert result.stdout == "nowhere:0\n", result
    assert server.wait("started")["display"] is None


def test_ssh_x11_without_cookie(server, display):
    result = run_ssh(server, "-Y", "XAUTHORITY=/dev/null xdpyinfo; xdpyinfo", env=display.environment)
    assert "Authorization failed" in result.stderr, result
    assert "X.Org version" in result.stdout


def test_plink(server, agent, keys, display, home):
    if not shutil.which("plink"):
        pytest.skip("plink is not installed")
    scan = subprocess.run(
        ["ssh-keyscan", "-p", str(server.port), "-t", "ed25519", "127.0.0.1"],
        capture_output=True, text=True, check=True,
    ).stdout.split()
    fingerprint = subprocess.run(
        ["ssh-keygen", "-lf", "-"], input=" ".join(scan), capture_output=True, text=True, check=True
    ).stdout.split()[1]
    result = subprocess.run(
        ["plink", "-ssh", "-batch", "-A", "-X", "-P", str(server.port), "-l", "accept"]
        + ["-hostkey", fingerprint, "127.0.0.1", "ssh-add -l; xdpyinfo"],
        env=dict(display.environment, SSH_AUTH_SOCK=agent, HOME=str(home)),
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE, check=False,
    )
    assert keys.fingerprint(keys.user()) in result.stdout, result
    assert "X.Org version" in result.stdout, result


def test_asyncssh(server, agent, keys, display):
    asyncssh = pytest.importorskip("asyncssh")

    async def go():
        async with asyncssh.connect(
            "127.0.0.1", server.port, username="accept", known_hosts=None, config=None,
            client_keys=None, agent_path=agent, agent_forwarding=agent,
        ) as connection:
            result = await connection.run(
                "ssh-add -l; xdpyinfo", x11_forwarding=True, x11_display=display.name,
                x11_auth_path=display.authority, x11_single_connection=True, stdin=asyncssh.DEVNULL,
            )
            return result.stdout

    output = asyncio.run(asyncio.wait_for(go(), PATIENCE))
    assert keys.fingerprint(keys.user()) in output and "X.Org version" in output, output
    assert server.wait("x11-request")["single"] is True


def test_paramiko(server, agent, keys, monkeypatch):
    paramiko = pytest.importorskip("paramiko")
    from paramiko.agent import AgentRequestHandler

    monkeypatch.setenv("SSH_AUTH_SOCK", agent)
    transport = paramiko.Transport(("127.0.0.1", server.port))
    try:
        transport.start_client(timeout=PATIENCE)
        transport.auth_none("accept")
        session = transport.open_session()
        handler = AgentRequestHandler(session)
        session.exec_command("ssh-add -l")
        output = session.makefile().read().decode()
        handler.close()
    finally:
        transport.close()
    assert keys.fingerprint(keys.user()) in output


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


@pytest.mark.parametrize("kind", ["agent", "x11"])
def test_forms(server, kind):
    expected = {
        "accept": True, "later": True, "twice": True,
        "refuse": False, "absent": False, "later-refuse": False,
    }
    fields = [] if kind == "agent" else x11_fields()
    name = AGENT if kind == "agent" else "x11-req"
    for user, granted in expected.items():
        with login(server, user) as raw:
            _, theirs, _, _ = raw.open_session()
            assert request(raw, theirs, name, *fields) is granted, user
            if user == "twice":
                assert server.wait("second")["result"] == -4  # SP_EALREADY
            if granted:
                assert request(raw, theirs, name, *fields) is False  # once is enough
            assert request(raw, theirs, "exec", string("hold"))
            assert request(raw, theirs, name, *fields) is False  # too late
    server.clean()


@pytest.mark.parametrize("kind", ["agent", "x11"])
def test_answered_after_the_client_left(server, kind):
    with login(server, "never") as raw:
        _, theirs, _, _ = raw.open_session()
        name = AGENT if kind == "agent" else "x11-req"
        raw.channel_request(theirs, name, *([] if kind == "agent" else x11_fields()))
        raw.channel_request(theirs, "exec", string("hold"))
        server.wait("asked")
    assert server.wait("late")["result"] == -5  # SP_ECONN
    server.wait("gone")


@pytest.mark.parametrize(
    "option,agent,x11",
    [
        ("", True, True),
        ("no-agent-forwarding ", False, True),
        ("no-X11-forwarding ", True, False),
        ("restrict ", False, False),
        ("restrict,agent-forwarding ", True, False),
        ("restrict,X11-forwarding ", False, True),
    ],
)
def test_key_forbids(start, keys, tmp_path, option, agent, x11):
    """What the key does not permit is refused before anybody is asked."""
    with open(keys.user() + ".pub", encoding="utf-8") as file:
        (tmp_path / "authorized").write_text(option + file.read())
    server = start("--authorized", tmp_path / "authorized")
    with Raw(server.port) as raw:
        raw.handshake()
        raw.service()
        raw.public_key("keys", keys.user())
        _, theirs, _, _ = raw.open_session()
        assert request(raw, theirs, AGENT) is agent
        assert request(raw, theirs, "x11-req", *x11_fields()) is x11
        assert request(raw, theirs, "exec", string("hold"))
        server.wait("started")
        with server.out.condition:
            names = [event.get("event") for event in server.out.items]
        assert ("agent-request" in names, "x11-request" in names) == (agent, x11)
    server.clean()


def test_replies_keep_their_order(server):
    with login(server, "later") as raw:
        _, theirs, _, _ = raw.open_session()
        raw.channel_request(theirs, AGENT)
        raw.channel_request(theirs, "nonsense")
        raw.channel_request(theirs, "x11-req", *x11_fields())
        raw.channel_request(theirs, "x11-req", *x11_fields(cookie="0"))
        raw.channel_request(theirs, "exec", string("hold"))
        replies = [raw.expect(CHANNEL_SUCCESS, CHANNEL_FAILURE)[0] for _ in range(5)]
    assert [r == CHANNEL_SUCCESS for r in replies] == [True, False, True, False, True]


def test_agent_channel(server):
    with login(server) as raw:
        _, lent = hold(server, raw, agent=True)
        path = lent["agent"]
        assert stat.S_IMODE(os.stat(os.path.dirname(path)).st_mode) == 0o700
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
        with connect_unix(path) as program:
            kind, theirs, reader = take_open(raw)
            assert kind == "auth-agent@openssh.com" and reader.rest() == b""
            program.sendall(b"question")  # before the channel is confirmed
            confirm(raw, theirs)
            assert take_data(raw, 8) == b"question"
            raw.data(theirs, b"answer")
            assert program.recv(100) == b"answer"
            program.shutdown(socket.SHUT_WR)
            raw.expect(CHANNEL_EOF)
            raw.data(theirs, b"more")
            assert program.recv(100) == b"more"
            raw.send(bytes([CHANNEL_CLOSE]) + u32(theirs))
            raw.expect(CHANNEL_CLOSE)
            assert program.recv(100) == b""


def test_agent_channel_refused(server):
    with login(server) as raw:
        _, lent = hold(server, raw, agent=True)
        for _ in range(3):
            with connect_unix(lent["agent"]) as program:
                _, theirs, _ = take_open(raw)
                refuse(raw, theirs)
                assert program.recv(100) == b""


def test_application_is_refused_by_the_client(server):
    with login(server) as raw:
        _, theirs, _, _ = raw.open_session()
        assert request(raw, theirs, AGENT)
        assert request(raw, theirs, "exec", string("agent"))
        refuse(raw, take_open(raw)[1], code=4)
        lost = server.wait("agent-lost")
        assert (lost["error"], lost["code"]) == (-5, 4)
        raw.expect(CHANNEL_REQUEST)  # its exit status
        raw.expect(CHANNEL_EOF)
        raw.expect(CHANNEL_CLOSE)


def test_each_session_has_its_own(server):
    """What one session was lent ends with it; what is relayed goes on."""
    with login(server) as raw:
        first, lent = hold(server, raw, agent=True, x11=x11_fields())
        _, other = hold(server, raw, agent=True, x11=x11_fields())
        assert lent["agent"] != other["agent"] and lent["display"] != other["display"]
        assert len(os.listdir(server.directory)) == 2
        with connect_unix(lent["agent"]) as program:
            _, theirs, _ = take_open(raw)
            confirm(raw, theirs)
            raw.send(bytes([CHANNEL_CLOSE]) + u32(first))
            raw.expect(CHANNEL_CLOSE)
            wait_until(lambda: not os.path.exists(lent["agent"]))
            assert server.wait("session-lost")["lent"] is False
            assert os.listdir(server.directory) == [other["agent"].split("/")[-2]]
            with pytest.raises(OSError):
                connect_x11(lent["display"])
            raw.data(theirs, b"still here")
            assert program.recv(100) == b"still here"
            with connect_unix(other["agent"]):
                assert take_open(raw)[0] == "auth-agent@openssh.com"


def test_channels_used_up(start):
    server = start("--channels", 3)
    with login(server) as raw:
        _, lent = hold(server, raw, agent=True)
        with contextlib.ExitStack() as stack:
            programs = [stack.enter_context(connect_unix(lent["agent"])) for _ in range(2)]
            opens = [take_open(raw)[1] for _ in range(2)]
            with connect_unix(lent["agent"]) as program:
                assert program.recv(100) == b""  # closed, for want of a channel
            for theirs in opens:
                refuse(raw, theirs)
            for program in programs:
                assert program.recv(100) == b""
        with connect_unix(lent["agent"]):
            take_open(raw)
    server.clean()


# ---- X11, byte by byte


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


# ---- clients that vanish


def stage_requested(server, raw, stack):
    _, theirs, _, _ = raw.open_session()
    assert request(raw, theirs, AGENT)
    assert request(raw, theirs, "x11-req", *x11_fields())


def stage_started(server, raw, stack):
    hold(server, raw, agent=True, x11=x11_fields())


def stage_asked(server, raw, stack):
    _, lent = hold(server, raw, agent=True, x11=x11_fields())
    stack.enter_context(connect_unix(lent["agent"])).sendall(b"question")
    stack.enter_context(connect_x11(lent["display"])).sendall(setup_message(read_cookie(lent)))
    take_open(raw)
    take_open(raw)


def stage_half_a_setup(server, raw, stack):
    _, lent = hold(server, raw, x11=x11_fields())
    stack.enter_context(connect_x11(lent["display"])).sendall(setup_message(read_cookie(lent))[:20])


def stage_relayed(server, raw, stack):
    _, lent = hold(server, raw, agent=True, x11=x11_fields(single=True))
    stack.enter_context(connect_unix(lent["agent"])).sendall(b"question")
    confirm(raw, take_open(raw)[1])
    take_data(raw, 8)
    stack.enter_context(connect_x11(lent["display"])).sendall(setup_message(read_cookie(lent)))
    confirm(raw, take_open(raw)[1], 78)
    take_data(raw, 48)


def stage_closing(server, raw, stack):
    theirs, lent = hold(server, raw, agent=True)
    stack.enter_context(connect_unix(lent["agent"]))
    take_open(raw)
    raw.send(bytes([CHANNEL_CLOSE]) + u32(theirs))


def stage_program(server, raw, stack):
    _, theirs, _, _ = raw.open_session()
    assert request(raw, theirs, AGENT)
    assert request(raw, theirs, "exec", string("cat"))


@pytest.mark.parametrize(
    "stage",
    [stage_requested, stage_started, stage_asked, stage_half_a_setup, stage_relayed, stage_closing,
     stage_program],
)
def test_client_vanishes(server, stage):
    with contextlib.ExitStack() as stack:
        for _ in range(3):
            with login(server) as raw:
                stage(server, raw, stack)
        server.clean()  # while the programs still have their ends


def test_program_vanishes(server):
    """The other side of it: programs that go at each step leave no channel behind."""
    with login(server) as raw:
        _, lent = hold(server, raw, agent=True, x11=x11_fields())
        before = server.descriptors()
        with connect_unix(lent["agent"]):
            _, theirs, _ = take_open(raw)
        confirm(raw, theirs)
        raw.expect(CHANNEL_EOF)
        raw.send(bytes([CHANNEL_EOF]) + u32(theirs))
        raw.expect(CHANNEL_CLOSE)
        raw.send(bytes([CHANNEL_CLOSE]) + u32(theirs))
        for length in (0, 5, 20):
            connect_x11(lent["display"]).close()
            with connect_x11(lent["display"]) as program:
                program.sendall(setup_message(read_cookie(lent))[:length])
        wait_until(lambda: server.descriptors() == before, server.left_over)


def test_server_stops(start):
    """While everything is open: close() looks that it ends cleanly and removes its files."""
    server = start()
    with contextlib.ExitStack() as stack:
        raw = stack.enter_context(login(server))
        stage_relayed(server, raw, stack)
        stage_asked(server, raw, stack)
        stage_half_a_setup(server, raw, stack)
        server.process.send_signal(signal.SIGTERM)
        server.process.wait(PATIENCE)
        assert os.listdir(server.directory) == []
