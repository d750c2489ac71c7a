"""sallyportd serves the user that starts it."""

import getpass
import os
import re
import select
import shlex
import subprocess

import pytest

from clients import Key, OpenSSH, Password
from rawssh import (
    CHANNEL_CLOSE,
    CHANNEL_DATA,
    CHANNEL_EOF,
    CHANNEL_FAILURE,
    CHANNEL_REQUEST,
    CHANNEL_SUCCESS,
    EXTENDED_DATA,
    WINDOW_ADJUST,
    Raw,
    Reader,
    string,
    u32,
)
from servers import PATIENCE, Sallyportd, built, wait_until

USER = getpass.getuser()


@pytest.fixture(scope="module")
def openssh(tmp_path_factory, keys):
    return OpenSSH(tmp_path_factory.mktemp("openssh"), keys)


def run(openssh, server, keys, command, **options):
    return openssh.run(server, command, user=USER, auth=Key(keys.user()), **options)


def children(pid):
    """Of a process, with zombies."""
    found = []
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as file:
            found += file.read().split()
    return found


def wait_dead(pid):
    """Waits until a process of somebody else's has ended."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        assert select.select([descriptor], [], [], PATIENCE)[0], f"process {pid} lives on"
    finally:
        os.close(descriptor)


def wait_childless(server):
    wait_until(lambda: not children(server.pid), lambda: f"left behind: {children(server.pid)}")


class Session:
    """One raw session of the user's with a key."""

    def __init__(self, server, keys):
        self.output = b""  # received, not yet asked for
        self.raw = Raw(server.port, cipher="aes128-gcm@openssh.com").handshake()
        self.raw.service()
        assert self.raw.public_key(USER, keys.user())[0] == 52

    def start(self, command, terminal=False):
        raw = self.raw
        _, theirs, _, _ = raw.open_session()
        if terminal:
            raw.channel_request(
                theirs, "pty-req", string("xterm") + u32(80) + u32(24) + u32(0) * 2 + string(b"\0")
            )
            raw.expect(CHANNEL_SUCCESS)
        raw.channel_request(theirs, "exec", string(command))
        raw.expect(CHANNEL_SUCCESS)
        return theirs

    def line(self):
        """The next line of output."""
        while b"\n" not in self.output:
            self.output += Reader(self.raw.expect(CHANNEL_DATA)[5:]).string()
        line, self.output = self.output.split(b"\n", 1)
        return line.decode().strip()

    def ending(self):
        """The request that tells how the command ended: its name and what follows."""
        # stderr: bash reads the user's ~/.bashrc, which may have words of its own.
        payload = self.raw.expect(
            CHANNEL_REQUEST, skip=(CHANNEL_DATA, EXTENDED_DATA, CHANNEL_EOF, WINDOW_ADJUST)
        )
        reader = Reader(payload[5:])
        name = reader.text()
        reader.boolean()
        return name, reader

    def close(self, theirs):
        """Both sides close the channel."""
        self.raw.expect(CHANNEL_CLOSE, skip=(CHANNEL_EOF, CHANNEL_DATA, EXTENDED_DATA, WINDOW_ADJUST))
        self.raw.send(bytes([CHANNEL_CLOSE]) + u32(theirs))


# ---- logging in ---------------------------------------------------------------------------------


def test_login_with_the_key_printed(home):
    """Without any key of the user's it makes one, and prints the exact command."""
    with Sallyportd(home) as server:
        line = server.out.wait(lambda text: text.strip().startswith("ssh "))
        command = shlex.split(line) + ["echo", "it", "works"]
        for _ in range(2):  # and again, with the host key that was remembered
            process = subprocess.run(
                command[:1] + ["-F", "none", "-o", "BatchMode=yes",
                               "-o", "StrictHostKeyChecking=accept-new"] + command[1:],
                capture_output=True, text=True, check=False, timeout=2 * PATIENCE,
                stdin=subprocess.DEVNULL,
            )
            assert process.stdout == "it works\n", process.stderr


def test_key_is_kept(home):
    """The same keys at the next start."""
    seen = []
    for _ in range(2):
        with Sallyportd(home) as server:
            server.out.wait(lambda text: text.strip().startswith("ssh "))
            with Raw(server.port, cipher="aes128-gcm@openssh.com") as raw:
                raw.handshake()
            state = home / "state"
            seen.append(sorted((p.name, p.read_bytes()) for p in state.rglob("*key*.pub")))
            for path in state.rglob("*"):
                if path.is_file() and "PRIVATE" in path.read_text(errors="replace"):
                    assert path.stat().st_mode & 0o077 == 0
    assert seen[0] == seen[1] and seen[0]


def test_other_users_are_refused(openssh, sallyportd, keys):
    server = sallyportd()
    result = openssh.run(server, "true", user="somebody", auth=Key(keys.user()))
    assert result.code == 255 and "Permission denied" in result.err


def test_strange_key_is_refused(openssh, sallyportd, keys):
    server = sallyportd()
    assert openssh.run(server, "true", user=USER, auth=Key(keys.stranger())).code == 255


def test_password_file(openssh, sallyportd, keys, tmp_path):
    path = tmp_path / "password"
    path.write_text(
        subprocess.run(["openssl", "passwd", "-6", "open sesame"], check=True,
                       capture_output=True, text=True).stdout
    )
    path.chmod(0o600)
    server = sallyportd(
        "-o", "PasswordAuthentication=yes", "-o", f"PasswordFile={path}",
        "-o", "PermitRootLogin=yes",
    )
    assert openssh.run(server, "exit 5", user=USER, auth=Password("open sesame")).code == 5
    assert openssh.run(server, "exit 5", user=USER, auth=Password("wrong")).code == 255


# ---- commands -----------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [0, 1, 126, 127, 255])
def test_exit_status(openssh, sallyportd, keys, status):
    assert run(openssh, sallyportd(), keys, f"exit {status}").code == status


def test_command_not_found(openssh, sallyportd, keys):
    result = run(openssh, sallyportd(), keys, "no-such-command-anywhere")
    assert result.code == 127 and "not found" in result.err


@pytest.mark.parametrize("name", ["TERM", "KILL", "SEGV", "HUP"])
def test_exit_signal(sallyportd, keys, name):
    session = Session(sallyportd(), keys)
    session.start(f"kill -{name} $$")
    kind, reader = session.ending()
    assert (kind, reader.text()) == ("exit-signal", name)
    session.raw.sock.close()


def test_output_and_error_are_separate(openssh, sallyportd, keys):
    result = run(openssh, sallyportd(), keys, "echo out; echo err >&2; exit 3", log_level="ERROR")
    assert (result.code, result.out, result.err) == (3, b"out\n", "err\n")


def test_input_ends(openssh, sallyportd, keys):
    result = run(openssh, sallyportd(), keys, "cat; echo end", input=b"some text\n")
    assert result.out == b"some text\nend\n"


def test_environment(openssh, sallyportd, keys, home):
    result = run(openssh, sallyportd(), keys, "env; pwd", env="LC_TEST=yes")
    text = result.text.splitlines()
    variables = dict(line.split("=", 1) for line in text[:-1] if "=" in line)
    assert variables["USER"] == variables["LOGNAME"] == USER
    assert variables["LC_TEST"] == "yes"
    assert variables["HOME"] == text[-1]
    assert re.fullmatch(r"127\.0\.0\.1 \d+ 127\.0\.0\.1 \d+", variables["SSH_CONNECTION"])
    assert "SSH_TTY" not in variables


def test_environment_is_filtered(openssh, sallyportd, keys):
    result = run(openssh, sallyportd(), keys, "env", env="LD_PRELOAD=/evil.so")
    assert "evil" not in result.text


def test_no_descriptors_leak(openssh, sallyportd, keys):
    """A command has its three streams and nothing of the server's."""
    result = run(openssh, sallyportd(), keys, "ls -l /proc/self/fd")
    numbers = re.findall(r" (\d+) -> ", result.text)
    assert set(numbers) <= {"0", "1", "2", "3"}, result.text  # 3 is ls's own


def test_terminal_for_a_command(sallyportd, keys):
    session = Session(sallyportd(), keys)
    session.start("tty; stty size; echo $SSH_TTY; exit 4", terminal=True)
    name = session.line()
    assert name.startswith("/dev/pts/")
    assert (session.line(), session.line()) == ("24 80", name)
    kind, reader = session.ending()
    assert (kind, reader.u32()) == ("exit-status", 4)
    session.raw.sock.close()


def test_unknown_subsystem(sallyportd, keys):
    session = Session(sallyportd(), keys)
    _, theirs, _, _ = session.raw.open_session()
    session.raw.channel_request(theirs, "subsystem", string("nonsense"))
    session.raw.expect(CHANNEL_FAILURE)
    session.raw.sock.close()


def test_upload(openssh, sallyportd, keys, random_file):
    path, digest, _ = random_file
    result = run(openssh, sallyportd(), keys, "sha256sum", input_path=path)
    assert result.text.split()[0] == digest


def test_download(openssh, sallyportd, keys, random_file):
    path, digest, _ = random_file
    assert run(openssh, sallyportd(), keys, f"cat {path}").sha256 == digest


def test_both_ways(client, sallyportd, keys, random_file):
    path, digest, _ = random_file
    # libssh2 1.10 has none of the MACs of the default settings.
    server = sallyportd(*(["-o", "AlgorithmPreset compatible"] if client.name == "libssh2" else []))
    result = client.run(server, "cat", user=USER, auth=Key(keys.user()), input_path=path)
    assert result.sha256 == digest, str(result.err)[-2000:]


def test_reader_that_closes_early(openssh, sallyportd, keys, random_file):
    """The command ends while the client still sends: no hang, and the status comes."""
    result = run(openssh, sallyportd(), keys, "head -c 10 >/dev/null; exit 6", input_path=random_file[0])
    assert result.code == 6


def test_output_after_the_command(openssh, sallyportd, keys):
    """All that a command wrote before it ended arrives, however much."""
    size = 3_000_000
    result = run(openssh, sallyportd(), keys, f"head -c {size} /dev/zero")
    assert len(result.out) == size


def test_background_child_does_not_hold_the_status(sallyportd, keys):
    """A child that lives on with the output closed."""
    session = Session(sallyportd(), keys)
    session.start("sleep 1000 >/dev/null 2>&1 </dev/null & echo $!; exit 0")
    child = int(session.line())
    kind, reader = session.ending()
    assert (kind, reader.u32()) == ("exit-status", 0)
    session.raw.sock.close()
    os.kill(child, 9)


# ---- signals and hang-up ------------------------------------------------------------------------


@pytest.mark.parametrize("terminal", [False, True])
def test_signal_to_the_process_group(sallyportd, keys, terminal):
    server = sallyportd()
    session = Session(server, keys)
    theirs = session.start(
        "sh -c 'sleep 1000 & echo $!; exec sleep 1000' ", terminal
    )
    child = int(session.line())
    session.raw.channel_request(theirs, "signal", string("TERM"), reply=False)
    wait_dead(child)
    kind, reader = session.ending()
    assert kind in ("exit-signal", "exit-status")
    wait_childless(server)
    session.raw.sock.close()


@pytest.mark.parametrize("name", ["INT", "USR1", "KILL"])
def test_signals_by_name(sallyportd, keys, name):
    session = Session(sallyportd(), keys)
    theirs = session.start("echo ready; exec sleep 1000")
    assert session.line() == "ready"
    session.raw.channel_request(theirs, "signal", string(name), reply=False)
    kind, reader = session.ending()
    assert (kind, reader.text()) == ("exit-signal", name)
    session.raw.sock.close()


@pytest.mark.parametrize("terminal", [False, True])
@pytest.mark.parametrize("how", ["channel", "disconnect", "gone"])
def test_hang_up_when_the_client_leaves(sallyportd, keys, terminal, how):
    server = sallyportd()
    session = Session(server, keys)
    theirs = session.start("echo $$; exec sleep 1000", terminal)
    child = int(session.line())
    if how == "channel":
        session.raw.send(bytes([97]) + u32(theirs))
    elif how == "disconnect":
        session.raw.send(b"\1" + u32(11) + string("bye") + string(""))
    else:
        session.raw.sock.close()
    wait_dead(child)
    wait_childless(server)
    session.raw.sock.close()


def test_server_stops_with_sessions(sallyportd, keys):
    """SIGTERM ends the server in order; what it started is hung up."""
    server = sallyportd()
    session = Session(server, keys)
    session.start("echo $$; exec sleep 1000", True)
    child = int(session.line())
    server.close()
    wait_dead(child)
    session.raw.sock.close()


def test_many_sessions_leave_nothing(sallyportd, keys):
    server = sallyportd()
    session = Session(server, keys)
    before = len(os.listdir(f"/proc/{server.pid}/fd"))
    for number in range(40):
        theirs = session.start(f"exit {number}", number % 2 == 0)
        kind, reader = session.ending()
        assert (kind, reader.u32()) == ("exit-status", number)
        session.close(theirs)
    wait_childless(server)
    assert len(os.listdir(f"/proc/{server.pid}/fd")) <= before + 2
    session.raw.sock.close()


# ---- starting -----------------------------------------------------------------------------------


def start(*options, env=None):
    return subprocess.run(
        [built("sallyportd"), *options], capture_output=True, text=True, check=False,
        timeout=PATIENCE, env={**os.environ, **(env or {})}, stdin=subprocess.DEVNULL,
    )


def test_version():
    process = start("-V")
    assert process.returncode == 0 and "Sallyport" in process.stdout + process.stderr


def test_bad_flag():
    process = start("-Z")
    assert process.returncode != 0 and "usage" in process.stderr


def test_bad_option(home):
    process = start("-D", "-e", "-o", "NoSuchWord=yes", env={"HOME": str(home)})
    assert process.returncode != 0 and "NoSuchWord" in process.stderr


def test_port_in_use(sallyportd, keys, home):
    server = sallyportd()
    process = start("-D", "-e", "-p", str(server.port), "-h", keys.host(), env={"HOME": str(home)})
    assert process.returncode != 0 and "in use" in process.stderr


def test_host_key_readable_by_others(keys, home, tmp_path):
    path = tmp_path / "open_key"
    path.write_bytes(open(keys.host(), "rb").read())
    path.chmod(0o644)
    process = start("-t", "-h", str(path), env={"HOME": str(home)})
    assert process.returncode != 0 and str(path) in process.stderr


def test_host_key_missing(home):
    process = start("-t", "-h", "/nonexistent/key", env={"HOME": str(home)})
    assert process.returncode != 0 and "/nonexistent/key" in process.stderr
