"""Forwarding through sallyportd with ssh: -L, -R, -D, -J, -W, -A, -X, TCP and UNIX sockets, added and
cancelled while it runs; the words that allow, limit and forbid it; and the tools that people run
over it: git, rsync, scp, sftp, ansible."""

import contextlib
import os
import re
import shlex
import shutil
import socket
import stat
import struct
import subprocess
import threading
import time

import pytest

from sallyportd_tools import *  # fixtures come by their names, too

pytestmark = [needs_ssh, needs_client_key]


class Echo:
    """Sends back what it gets, over TCP or from a path."""

    def __init__(self, address):
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        self.listener = socket.socket(family)
        self.listener.bind(address)
        self.listener.listen(16)
        self.address = self.listener.getsockname()
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.answer, args=(connection,), daemon=True).start()

    @staticmethod
    def answer(connection):
        with connection, contextlib.suppress(OSError):
            while data := connection.recv(65536):
                connection.sendall(data)


@pytest.fixture
def echo():
    server = Echo(("127.0.0.1", 0))
    yield server.address[1]
    server.listener.close()


@pytest.fixture
def unix_echo(tmp_path):
    server = Echo(str(tmp_path / "echo.socket"))
    yield server.address
    server.listener.close()


def echoes(address, data=b"there and back"):
    """Does somebody echo there? Tries until something listens."""
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    end = time.monotonic() + 30
    while True:
        try:
            with socket.socket(family) as s:
                s.settimeout(30)
                s.connect(address)
                s.sendall(data)
                s.shutdown(socket.SHUT_WR)
                got = b""
                while more := s.recv(65536):
                    got += more
                assert len(got) == len(data)
                return got == data
        except (ConnectionRefusedError, FileNotFoundError):
            if time.monotonic() > end:
                return False
            time.sleep(0.02)


class Session:
    """ssh with forwardings, while the block runs."""

    def __init__(self, server, *more, command="echo up; cat"):
        self.process = server.popen(command, more=["-o", "ExitOnForwardFailure=yes", *more],
                                    stderr=subprocess.PIPE)
        self.errors = ""
        self.up = self.process.stdout.readline() == "up\n"
        if not self.up:
            self.errors = self.process.communicate(timeout=30)[1]

    def port(self):
        """The port that the server chose for -R 0:..."""
        line = self.process.stderr.readline()
        return int(re.match(r"Allocated port (\d+) for remote forward", line).group(1))

    def __enter__(self):
        assert self.up, self.errors
        return self

    def __exit__(self, *_):
        self.end()

    def end(self):
        if self.process.poll() is None:
            self.process.communicate(timeout=30)


def forwards(server, *more):
    """Is the forwarding set up?"""
    session = Session(server, *more)
    session.end()
    return session.up


# ---- each kind ----------------------------------------------------------------------------------

def test_local(serve, echo, unix_echo, tmp_path):
    server = serve()
    ports = [free_port() for _ in range(2)]
    paths = [str(tmp_path / f"local{i}") for i in range(2)]
    with Session(server, "-L", f"127.0.0.1:{ports[0]}:localhost:{echo}", "-L",
                 f"127.0.0.1:{ports[1]}:{unix_echo}", "-L", f"{paths[0]}:127.0.0.1:{echo}", "-L",
                 f"{paths[1]}:{unix_echo}"):
        for address in [("127.0.0.1", ports[0]), ("127.0.0.1", ports[1]), *paths]:
            assert echoes(address, os.urandom(400000))


def test_remote(serve, echo, unix_echo, tmp_path):
    server = serve()
    ports = [free_port() for _ in range(2)]
    paths = [str(tmp_path / f"remote{i}") for i in range(2)]
    with Session(server, "-R", f"{ports[0]}:localhost:{echo}", "-R", f"{ports[1]}:{unix_echo}",
                 "-R", f"{paths[0]}:127.0.0.1:{echo}", "-R", f"{paths[1]}:{unix_echo}"):
        for address in [("127.0.0.1", ports[0]), ("127.0.0.1", ports[1]), *paths]:
            assert echoes(address, os.urandom(400000))
    wait_until(lambda: not os.path.exists(paths[0]) and not os.path.exists(paths[1]))
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", ports[0]))


def test_remote_on_a_port_of_the_servers_choice(serve, echo):
    with Session(serve(), "-R", f"0:localhost:{echo}") as session:
        assert echoes(("127.0.0.1", session.port()))


def socks(proxy, host, port):
    """A connection by SOCKS 5 (RFC 1928)."""
    s = socket.create_connection(("127.0.0.1", proxy), timeout=30)
    s.sendall(b"\5\1\0")
    assert s.recv(2) == b"\5\0"
    s.sendall(b"\5\1\0\3" + bytes([len(host)]) + host.encode() + struct.pack(">H", port))
    assert s.recv(10)[1] == 0
    return s


@pytest.mark.parametrize("flag", ["-D", "-R"])
def test_dynamic(serve, echo, flag):
    proxy = free_port()
    with Session(serve(), flag, str(proxy)):
        with socks(proxy, "localhost", echo) as s:
            s.sendall(b"hello")
            assert s.recv(100) == b"hello"


def test_standard_input_and_output(serve, echo):
    run = serve().ssh(more=["-W", f"127.0.0.1:{echo}"], given="hello")
    assert run.stdout == "hello"


def test_jump(serve):
    """Through one server to another, and back through the first."""
    one, two = serve(), serve()
    words = shlex.split(two.command)
    known = words[words.index("-o", words.index("-o") + 1) + 1]
    key = words[words.index("-i") + 1]
    config = one.directory / "ssh_config"
    config.write_text(
        f"Host *\nUser {USER}\nIdentityFile {key}\nIdentitiesOnly yes\n{known.replace('=', ' ')}\n"
        f"BatchMode yes\nHostName 127.0.0.1\nHost one three\nPort {one.port}\nHost two\n"
        f"Port {two.port}\n")
    run = subprocess.run(["ssh", "-F", config, "-J", "one,two", "three", "echo $SSH_CONNECTION"],
                         text=True, stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
    assert run.stdout.split()[3] == str(one.port), run.stderr


@pytest.fixture
def agent(tmp_path):
    """An agent with one key: its environment, and the key's file."""
    key = tmp_path / "agent-key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    process = subprocess.Popen(["ssh-agent", "-D", "-a", str(tmp_path / "agent.socket")],
                               stdout=subprocess.DEVNULL)
    environment = dict(os.environ, SSH_AUTH_SOCK=str(tmp_path / "agent.socket"))
    add_to_agent(key, environment)
    yield environment, key
    process.terminate()
    process.wait()


def run_with(server, environment, *command, more=()):
    words = shlex.split(server.command)
    target = words.pop()
    return subprocess.run([*words, "-F", "none", "-o", "BatchMode=yes", *more, target, *command],
                          text=True, env=environment, stdin=subprocess.DEVNULL,
                          capture_output=True, timeout=60)


def test_agent(serve, agent):
    environment, key = agent
    run = run_with(serve(), environment, "ssh-add -L", more=["-A"])
    assert run.stdout.split()[1] == key.with_suffix(".pub").read_text().split()[1]


def test_login_with_a_forwarded_agent(serve, agent):
    environment, key = agent
    inner = serve(f"AuthorizedKeysFile={key}.pub", "StrictModes=no")
    command = (f"ssh -F none -p {inner.port} -o BatchMode=yes -o StrictHostKeyChecking=no "
               f"-o UserKnownHostsFile=/dev/null {USER}@127.0.0.1 echo inside")
    assert run_with(serve(), environment, command, more=["-A"]).stdout == "inside\n"


@pytest.fixture
def display(tmp_path):
    """An X server: the environment for its clients."""
    if not shutil.which("Xvfb") or not shutil.which("xdpyinfo") or not shutil.which("xauth"):
        pytest.skip("Xvfb, xdpyinfo or xauth is not installed")
    authority = tmp_path / "authority"
    reader, writer = os.pipe()
    authority.write_bytes(b"")
    process = subprocess.Popen(["Xvfb", "-displayfd", str(writer), "-screen", "0", "64x64x24",
                                "-nolisten", "tcp"], pass_fds=[writer],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        number = pipe.readline().strip()
    subprocess.run(["xauth", "-q", "-f", authority, "add", f":{number}", ".", "00" * 16],
                   check=True)
    yield dict(os.environ, DISPLAY=f":{number}", XAUTHORITY=str(authority))
    process.terminate()
    process.wait()


@pytest.mark.parametrize("flag", ["-X", "-Y"])
def test_x11(serve, display, flag):
    server = serve("X11Forwarding=yes")
    run = run_with(server, display, "echo $DISPLAY; xdpyinfo | grep -c 'dimensions: *64x64'",
                   more=[flag])
    shown, screens = run.stdout.splitlines()
    assert re.fullmatch(r"localhost:\d+\.0", shown)
    assert screens == "1"


def test_x11_words(serve, display):
    command = "echo ${DISPLAY:-none}"
    assert run_with(serve(), display, command, more=["-X"]).stdout == "none\n"
    for line in ("X11Forwarding=no", "DisableForwarding=yes"):
        server = serve(line, "X11Forwarding=yes")
        assert run_with(server, display, command, more=["-X"]).stdout == "none\n"
    server = serve("X11Forwarding=yes", "X11DisplayOffset=77")
    assert run_with(server, display, command, more=["-X"]).stdout == "localhost:77.0\n"
    server = serve("X11Forwarding=yes", "X11UseLocalhost=no")
    shown = run_with(server, display, command, more=["-X"]).stdout
    assert re.fullmatch(r"[^:]+:\d+\.0\n", shown)


# ---- while it runs ------------------------------------------------------------------------------

def test_forward_and_cancel(serve, echo, tmp_path):
    server = serve()
    control = ["-o", f"ControlPath={tmp_path}/control"]
    port, path = free_port(), str(tmp_path / "path")
    with Session(server, *control, "-M"):
        for what in ([f"{port}:127.0.0.1:{echo}", ("127.0.0.1", port)],
                     [f"{path}:127.0.0.1:{echo}", path]):
            for flag in ("-R", "-L"):
                spec, address = what
                run = server.ssh(more=[*control, "-O", "forward", flag, spec])
                assert run.returncode == 0, run.stderr
                assert echoes(address)
                run = server.ssh(more=[*control, "-O", "cancel", flag, spec])
                assert run.returncode == 0, run.stderr
                end = time.monotonic() + 30
                with pytest.raises((ConnectionRefusedError, FileNotFoundError)):
                    while time.monotonic() < end:
                        with socket.socket(socket.AF_UNIX if address is path
                                           else socket.AF_INET) as s:
                            s.connect(address)
                        time.sleep(0.02)
                if address is path and os.path.exists(path):
                    os.unlink(path)  # ssh leaves the one of -L
        run = server.ssh(more=[*control, "-O", "forward", "-R", f"0:127.0.0.1:{echo}"])
        assert echoes(("127.0.0.1", int(run.stdout)))


# ---- what is allowed ----------------------------------------------------------------------------

@pytest.mark.parametrize("value, local, remote", [
    ("yes", True, True), ("all", True, True), ("local", True, False), ("remote", False, True),
    ("no", False, False),
])
def test_allow_tcp_forwarding(serve, echo, unix_echo, tmp_path, value, local, remote):
    server = serve(f"AllowTcpForwarding={value}")
    run = server.ssh(more=["-W", f"127.0.0.1:{echo}"], given="x")
    assert (run.stdout == "x") == local
    assert forwards(server, "-R", f"0:127.0.0.1:{echo}") == remote
    assert forwards(server, "-R", f"{tmp_path}/path:127.0.0.1:{echo}")


@pytest.mark.parametrize("value, local, remote", [
    ("yes", True, True), ("all", True, True), ("local", True, False), ("remote", False, True),
    ("no", False, False),
])
def test_allow_stream_local_forwarding(serve, echo, unix_echo, tmp_path, value, local, remote):
    server = serve(f"AllowStreamLocalForwarding={value}")
    assert forwards(server, "-R", f"{tmp_path}/path:127.0.0.1:{echo}") == remote
    assert forwards(server, "-R", f"0:127.0.0.1:{echo}")
    port = free_port()
    with Session(server, "-L", f"127.0.0.1:{port}:{unix_echo}"):
        try:
            assert echoes(("127.0.0.1", port)) == local
        except OSError:
            assert not local


def test_disable_forwarding(serve, echo, agent, tmp_path):
    environment, _ = agent
    server = serve("DisableForwarding=yes", "AllowTcpForwarding=yes", "X11Forwarding=yes")
    assert not forwards(server, "-R", f"0:127.0.0.1:{echo}")
    assert not forwards(server, "-R", f"{tmp_path}/path:127.0.0.1:{echo}")
    assert server.ssh(more=["-W", f"127.0.0.1:{echo}"], given="x").stdout == ""
    run = run_with(server, environment, "echo ${SSH_AUTH_SOCK:-none}", more=["-A"])
    assert run.stdout == "none\n"
    server.log(r"^Received request to remote forward to host localhost port 0, but the request was")
    server.log(r"^Received request to remote forward to path \S+/path, but the request was denied")


def test_allow_agent_forwarding(serve, agent):
    environment, _ = agent
    run = run_with(serve("AllowAgentForwarding=no"), environment, "echo ${SSH_AUTH_SOCK:-none}",
                   more=["-A"])
    assert run.stdout == "none\n"


def listening(port):
    """The addresses that somebody listens on at this port, as the kernel tells it."""
    found = set()
    for file, family in (("tcp", socket.AF_INET), ("tcp6", socket.AF_INET6)):
        with open("/proc/net/" + file) as lines:
            for line in list(lines)[1:]:
                fields = line.split()
                address, _, number = fields[1].partition(":")
                if fields[3] == "0A" and int(number, 16) == port:
                    words = bytes.fromhex(address)
                    packed = b"".join(words[i:i + 4][::-1] for i in range(0, len(words), 4))
                    found.add(socket.inet_ntop(family, packed))
    return found


LOCAL, ALL = {"127.0.0.1", "::1"}, {"0.0.0.0", "::"}


@pytest.mark.parametrize("value, asked, expected", [
    ("no", "", LOCAL), ("no", "*:", LOCAL), ("no", "127.0.0.2:", LOCAL),
    ("yes", "", ALL), ("yes", "127.0.0.1:", ALL),
    ("clientspecified", "", LOCAL), ("clientspecified", "*:", ALL),
    ("clientspecified", "127.0.0.2:", {"127.0.0.2"}),
])
def test_gateway_ports(serve, echo, value, asked, expected):
    server = serve(f"GatewayPorts={value}")
    with Session(server, "-R", f"{asked}0:127.0.0.1:{echo}") as session:
        bound = listening(session.port())
    assert bound and bound <= expected
    assert "::" in bound or {a for a in bound if "." in a} == {a for a in expected if "." in a}


@pytest.mark.parametrize("value, allowed", [
    ("any", True), ("none", False), ("PORT", True), ("1 PORT", True), ("1", False),
    ("localhost:PORT", True), ("local*:PORT", True), ("127.0.0.1:PORT", False),
    ("*:*", True), ("localhost:*", True), ("otherhost:*", False),
])
def test_permit_listen(serve, echo, value, allowed):
    port = free_port()
    server = serve("PermitListen=" + value.replace("PORT", str(port)))
    assert forwards(server, "-R", f"{port}:127.0.0.1:{echo}") == allowed


def test_bind_mask_and_unlink(serve, echo, tmp_path):
    path = tmp_path / "path"
    spec = f"{path}:127.0.0.1:{echo}"
    for lines, mode in (([], 0o600), (["StreamLocalBindMask=0117"], 0o660),
                        (["StreamLocalBindMask=0"], 0o777)):
        with Session(serve(*lines), "-R", spec):
            assert stat.S_IMODE(path.stat().st_mode) == mode
        wait_until(lambda: not path.exists())
    with socket.socket(socket.AF_UNIX) as left_over:
        left_over.bind(str(path))
    assert not forwards(serve(), "-R", spec)
    with Session(serve("StreamLocalBindUnlink=yes"), "-R", spec):
        assert echoes(str(path))


def test_words_of_a_match_block(serve, echo, tmp_path):
    path = tmp_path / "config"
    path.write_text("AllowTcpForwarding no\nGatewayPorts yes\nMatch user " + USER
                    + "\nAllowTcpForwarding remote\nGatewayPorts no\n")
    server = serve(arguments=["-f", path])
    with Session(server, "-R", f"*:0:127.0.0.1:{echo}") as session:
        assert listening(session.port()) <= LOCAL
    assert server.ssh(more=["-W", f"127.0.0.1:{echo}"], given="x").stdout == ""


# ---- tools --------------------------------------------------------------------------------------

@pytest.fixture
def ssh_words(serve):
    """A server with sftp, the words of an `ssh` for it, and HOST."""
    server = serve("Subsystem=sftp /usr/lib/openssh/sftp-server")
    words = shlex.split(server.command)
    target = words.pop()
    return [*words, "-F", "none", "-o", "BatchMode=yes"], target


def needs(program):
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"no {program}")


@needs("git")
def test_git(ssh_words, tmp_path):
    words, target = ssh_words
    environment = dict(os.environ, GIT_SSH_COMMAND=shlex.join(words), GIT_CONFIG_GLOBAL="/dev/null",
                       GIT_AUTHOR_NAME="a", GIT_AUTHOR_EMAIL="a@b", GIT_COMMITTER_NAME="a",
                       GIT_COMMITTER_EMAIL="a@b")

    def git(*arguments, folder=tmp_path):
        return subprocess.run(["git", *arguments], cwd=folder, env=environment, text=True,
                              check=True, capture_output=True, timeout=120).stdout

    bare, first, second = (tmp_path / name for name in ("bare", "first", "second"))
    git("init", "-q", "--bare", "-b", "main", str(bare))
    git("clone", "-q", f"{target}:{bare}", str(first))
    git("checkout", "-q", "-b", "main", folder=first)
    content = os.urandom(1000000)
    (first / "file").write_bytes(content)
    git("add", "file", folder=first)
    git("commit", "-q", "-m", "one", folder=first)
    git("push", "-q", "origin", "main", folder=first)
    git("clone", "-q", f"{target}:{bare}", str(second))
    assert (second / "file").read_bytes() == content


@needs("rsync")
def test_rsync(ssh_words, tmp_path):
    words, target = ssh_words
    source, copy, back = (tmp_path / name for name in ("source", "copy", "back"))
    source.mkdir()
    for i in range(30):
        (source / f"file {i}").write_bytes(os.urandom(i * 10000))
    for a, b in ((f"{source}/", f"{target}:{copy}/"), (f"{target}:{copy}/", f"{back}/")):
        subprocess.run(["rsync", "-a", "-e", shlex.join(words), a, b], check=True, timeout=120)
    for path in source.iterdir():
        assert (back / path.name).read_bytes() == path.read_bytes()


@pytest.mark.parametrize("flag", ["-s", "-O"])
def test_scp(ssh_words, tmp_path, flag):
    words, target = ssh_words
    words = [*words]
    at = words.index("-p")
    words[at] = "-P"
    words[0] = "scp"
    source = tmp_path / "source"
    source.write_bytes(os.urandom(2000000))
    for a, b in ((source, f"{target}:{tmp_path}/copy"), (f"{target}:{tmp_path}/copy",
                                                         tmp_path / "back")):
        subprocess.run([*words, "-q", flag, str(a), str(b)], check=True, timeout=120)
    assert (tmp_path / "back").read_bytes() == source.read_bytes()


@needs("ansible")
@pytest.mark.parametrize("pipelining", ["False", "True"])
def test_ansible(ssh_words, tmp_path, pipelining):
    words, target = ssh_words
    port = words[words.index("-p") + 1]
    rest = words[words.index("-p") + 2:]
    user, host = target.split("@")
    inventory = tmp_path / "inventory"
    inventory.write_text(f"[all]\n{host} ansible_port={port} ansible_user={user} "
                         "ansible_python_interpreter=/usr/bin/python3\n")
    environment = dict(os.environ, HOME=str(tmp_path), ANSIBLE_HOST_KEY_CHECKING="False",
                       ANSIBLE_SSH_ARGS=shlex.join(["-o", "ControlMaster=no", *rest]),
                       ANSIBLE_PIPELINING=pipelining, ANSIBLE_LOCAL_TEMP=str(tmp_path / "local"),
                       ANSIBLE_REMOTE_TEMP=str(tmp_path / "remote"), LC_ALL="C.UTF-8")
    run = subprocess.run(["ansible", "-i", str(inventory), "all", "-m", "ping"], env=environment,
                         text=True, capture_output=True, timeout=300)
    assert run.returncode == 0 and '"ping": "pong"' in run.stdout, run.stdout + run.stderr
