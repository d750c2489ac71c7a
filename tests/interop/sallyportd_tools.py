"""What the tests of sallyportd share: running it to its end or as a server, and sshd beside it.
Build folder: $SALLYPORT_BUILD."""

import getpass
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from servers import wait_until

__all__ = [
    "ALGORITHM_WORDS",
    "PROGRAM",
    "Server",
    "USER",
    "add_to_agent",
    "call",
    "environment",
    "free_port",
    "host_key",
    "keygen",
    "needs_client_key",
    "needs_ssh",
    "needs_sshd",
    "needs_sshpass",
    "options",
    "password_file",
    "run_sshd",
    "serve",
    "settings",
    "wait_until",
    "with_password",
]

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("SALLYPORT_BUILD", ROOT / "build" / "release"))
PROGRAM = BUILD / "sallyportd"
SSHD = shutil.which("sshd", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
USER = getpass.getuser()
ALGORITHM_WORDS = ["ciphers", "macs", "kexalgorithms", "hostkeyalgorithms",
                   "pubkeyacceptedalgorithms"]

needs_sshd = pytest.mark.skipif(SSHD is None, reason="no sshd to compare with")
needs_ssh = pytest.mark.skipif(shutil.which("ssh") is None, reason="no ssh client")


def options(*lines):
    return [word for line in lines for word in ("-o", line)]


@pytest.fixture(scope="session")
def host_key(tmp_path_factory):
    path = tmp_path_factory.mktemp("keys") / "host"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
    return path


def keygen(*words):
    subprocess.run(["ssh-keygen", "-q", *map(str, words)], check=True, stdin=subprocess.DEVNULL,
                   capture_output=True)


def add_to_agent(key, environment):
    """ssh-add, as soon as the agent listens."""
    wait_until(lambda: subprocess.run(["ssh-add", "-q", str(key)], env=environment,
                                 capture_output=True).returncode == 0)


@pytest.fixture
def environment(tmp_path):
    return dict(os.environ, XDG_STATE_HOME=str(tmp_path / "state"))


@pytest.fixture
def call(environment):
    """Runs the program to its end."""
    def run(*arguments, **extra):
        return subprocess.run([PROGRAM, *map(str, arguments)], env=environment, text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=60, **extra)
    return run


def settings(text):
    """-T's output: each word with the list of its values."""
    result = {}
    for line in text.splitlines():
        word, _, value = line.partition(" ")
        result.setdefault(word, []).append(value)
    return result


def run_sshd(*arguments):
    if os.getuid() == 0:  # what its service makes at boot, and it does not start without
        os.makedirs("/run/sshd", exist_ok=True)
    return subprocess.run([SSHD, *arguments], text=True, capture_output=True, timeout=60,
                          stdin=subprocess.DEVNULL)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Server:
    """sallyportd in the foreground; the command that it prints is used to log in."""

    def __init__(self, environment, directory, arguments):
        self.directory = directory
        self.environment = environment
        self.out = directory / "out"
        self.err = directory / "err"
        with open(self.out, "w") as out, open(self.err, "w") as err:
            self.process = subprocess.Popen([PROGRAM, "-D", "-e", *map(str, arguments)],
                                            env=environment, stdin=subprocess.DEVNULL, stdout=out,
                                            stderr=err)
        self.command = self.wait_for(self.out, r"^ +(ssh -p .*)\n").group(1)
        self.port = int(re.search(r"-p (\d+)", self.command).group(1))

    def wait_for(self, path, pattern, seconds=30):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = re.search(pattern, path.read_text(), re.M)
            if found:
                return found
            if self.process.poll() is not None and not re.search(pattern, path.read_text(), re.M):
                break
            time.sleep(0.02)
        raise AssertionError(f"no {pattern!r} in {path.read_text()!r}; {self.err.read_text()!r}")

    def log(self, pattern):
        return self.wait_for(self.err, pattern, 10)

    def ssh(self, *command, more=(), user=None, given=""):
        words = shlex.split(self.command)
        target = words.pop()
        if user is not None:
            target = user + "@" + target.split("@")[1]
        return subprocess.run([*words, "-F", "none", "-o", "BatchMode=yes", *more, target,
                               *command], text=True, input=given, capture_output=True, timeout=60)

    def popen(self, *command, more=(), **extra):
        words = shlex.split(self.command)
        target = words.pop()
        return subprocess.Popen([*words, "-F", "none", "-o", "BatchMode=yes", *more, target,
                                 *command], text=True, stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE, **extra)

    def wait_for_file(self, path, seconds=30):
        wait_until(path.exists, lambda: f"no {path}", seconds)

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=30)


@pytest.fixture
def serve(environment, tmp_path, host_key):
    """Starts servers with one host key on any port; each must end well."""
    servers = []
    # The user's own keys stay out of it: without this, no client key would be made.
    home = tmp_path / "home"
    home.mkdir()

    def start(*lines, arguments=(), own_host_keys=False):
        directory = tmp_path / f"server{len(servers)}"
        directory.mkdir()
        keys = [] if own_host_keys else ["-h", host_key]
        port = [] if "-p" in arguments else ["-p", "0"]
        servers.append(Server(environment, directory, [*port, *keys, *arguments,
                                                       *options(*lines)]))
        return servers[-1]
    yield start
    codes = [server.stop() for server in servers]
    errors = [line for server in servers for line in server.err.read_text().splitlines()
              if "Sanitizer" in line or "runtime error" in line]
    assert codes == [0] * len(codes)
    assert errors == []


def has_own_keys():
    return any((Path.home() / ".ssh" / name).exists()
               for name in ("authorized_keys", "authorized_keys2"))


needs_client_key = pytest.mark.skipif(has_own_keys(), reason="the user has authorized keys")


@pytest.fixture
def password_file(tmp_path):
    digest = subprocess.run(["openssl", "passwd", "-6", "-stdin"], input="correct horse\n",
                            text=True, check=True, capture_output=True).stdout
    path = tmp_path / "hash"
    path.write_text(digest)
    path.chmod(0o600)
    return path


needs_sshpass = pytest.mark.skipif(shutil.which("sshpass") is None, reason="no sshpass")


def with_password(server, password, method, more=()):
    words = shlex.split(server.command)
    return subprocess.run(["sshpass", "-p", password, *words[:-1], "-F", "none", "-o",
                           f"PreferredAuthentications={method}", "-o",
                           "NumberOfPasswordPrompts=1", *more, words[-1], "echo in"], text=True,
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
