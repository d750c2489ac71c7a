"""What sallyportd's log says of a file at its close: a part is never called complete, whoever leaves,
vanishes or fails, with SFTP and with scp. Also sessions side by side, and settings that change."""

import os
import struct
import subprocess
import time

import pytest

from sallyportd_site import *  # fixtures come by their names, too
from sallyportd_tools import *

pytestmark = needs_ssh


class Raw:
    """SFTP by hand, through `ssh -s`."""

    def __init__(self, site, *words):
        words = words or ("-s", "sftp")
        flags = [w for w in words if w == "-s"]
        self.process = subprocess.Popen(
            ["ssh", *site.options, "-p", str(site.server.port), *flags, site.target,
             *[w for w in words if w != "-s"]], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def send(self, *parts):
        body = b"".join(parts)
        self.process.stdin.write(struct.pack(">I", len(body)) + body)
        self.process.stdin.flush()

    def receive(self):
        (length,) = struct.unpack(">I", self.process.stdout.read(4))
        return self.process.stdout.read(length)

    def begin(self):
        self.send(struct.pack(">BI", 1, 3))
        assert self.receive()[0] == 2

    def open(self, path, flags):
        name = str(path).encode()
        self.send(struct.pack(">BII", 3, 1, len(name)), name, struct.pack(">II", flags, 0))
        reply = self.receive()
        assert reply[0] == 102
        return reply[5:]

    def read(self, handle, offset, length):
        self.send(struct.pack(">BI", 5, 2), handle, struct.pack(">QI", offset, length))
        return self.receive()

    def write(self, handle, offset, data):
        self.send(struct.pack(">BI", 6, 3), handle, struct.pack(">QI", offset, len(data)), data)
        return self.receive()

    def shut(self, handle):
        self.send(struct.pack(">BI", 4, 4), handle)
        return self.receive()

    def vanish(self):
        self.process.kill()
        self.process.wait()

    def leave(self):
        self.process.stdin.close()
        return self.process.wait(30)


def last_close(s, kind="sftp"):
    s.server.log(rf"^{kind} .*: session closed")
    return [line for line in s.lines(kind) if line.startswith("close ")][-1]


def test_a_client_that_vanishes(site):
    s = site()
    (s.there / "f").write_bytes(b"x" * 1000)
    raw = Raw(s)
    raw.begin()
    handle = raw.open(s.there / "up", 0x1a)
    raw.write(handle, 0, b"y" * 500)
    other = raw.open(s.there / "f", 1)
    raw.read(other, 0, 1000)
    raw.vanish()
    s.server.log("session closed")
    found = [line for line in s.lines() if line.startswith("close ")]
    assert sorted(found) == [
        f'close "{s.there}/f" bytes read 1000 written 0 in S seconds: '
        "interrupted: the connection was lost",
        f'close "{s.there}/up" bytes read 0 written 500 in S seconds: '
        "interrupted: the connection was lost",
    ]


def test_a_client_that_leaves_files_open(site):
    s = site()
    raw = Raw(s)
    raw.begin()
    raw.write(raw.open(s.there / "up", 0x1a), 0, b"y" * 500)
    assert raw.leave() == 0
    assert last_close(s) == (f'close "{s.there}/up" bytes read 0 written 500 in S seconds: '
                             "interrupted: the client left it open")


def test_a_part_that_is_read(site):
    s = site()
    (s.there / "f").write_bytes(b"x" * 1000)
    raw = Raw(s)
    raw.begin()
    handle = raw.open(s.there / "f", 1)
    raw.read(handle, 500, 500)  # the end, and not all
    raw.shut(handle)
    handle = raw.open(s.there / "f", 1)
    raw.read(handle, 0, 1000)  # all, to the byte
    raw.shut(handle)
    assert raw.leave() == 0
    s.server.log("session closed")
    assert [line for line in s.lines() if line.startswith("close ")] == [
        f'close "{s.there}/f" bytes read 500 written 0 in S seconds: partial',
        f'close "{s.there}/f" bytes read 1000 written 0 in S seconds: complete',
    ]


@pytest.mark.parametrize("end, said", [
    (b"", "interrupted: the client left it open"),
    (b"x" * 500 + b"\1read error\n", "failed: an error at the client"),
    (b"x" * 500, "interrupted: the client left it open"),  # it has not said that this is all
    (b"x" * 500 + b"\0", "complete"),
])
def test_scp_that_sends(site, end, said):
    s = site()
    raw = Raw(s, f"scp -t {s.there}/f")
    raw.process.stdin.write(b"C0644 1000 f\n" + b"x" * 500 + end)
    raw.leave()
    written = 500 + end.count(b"x")
    assert last_close(s, "scp") == (
        f'close "{s.there}/f" bytes read 0 written {written} in S seconds: {said}')


def test_scp_that_sends_and_vanishes(site):
    s = site()
    raw = Raw(s, f"scp -t {s.there}/f")
    raw.process.stdin.write(b"C0644 1000 f\n" + b"x" * 500)
    raw.process.stdin.flush()
    s.server.wait_for_file(s.there / "f")
    end = time.monotonic() + 30
    while (s.there / "f").stat().st_size < 500:
        assert time.monotonic() < end
        time.sleep(0.01)
    raw.vanish()
    assert last_close(s, "scp").endswith("written 500 in S seconds: interrupted: "
                                         "the connection was lost")


@pytest.mark.parametrize("end, said", [
    (b"\0\0\0", "complete"),
    (b"\0\0\1disk full\n", "failed: an error at the client"),
    (b"\0\0", "interrupted: the client left it open"),
])
def test_scp_that_fetches(site, end, said):
    s = site()
    (s.there / "f").write_bytes(b"x" * 1000)
    raw = Raw(s, f"scp -f {s.there}/f")
    raw.process.stdin.write(end)
    raw.leave()
    assert last_close(s, "scp") == (
        f'close "{s.there}/f" bytes read 1000 written 0 in S seconds: {said}')


# ---- sessions -----------------------------------------------------------------------------------

def test_many_sessions_in_one_connection(site):
    s = site("MaxSessions 2")
    path = s.file()
    socket_path = s.here / "m"
    with subprocess.Popen(["ssh", *s.options, "-p", str(s.server.port), "-MNS", str(socket_path),
                           s.target]) as master:
        try:
            s.server.wait_for_file(socket_path)
            for i in range(5):
                more = ["-o", f"ControlPath={socket_path}"]
                assert s.sftp(f"put {path} {s.there}/{i}", more=more).returncode == 0
                assert s.scp(path, f":{s.there}/scp{i}", *more).returncode == 0
        finally:
            master.terminate()
    assert len(list(s.there.iterdir())) == 10


def test_the_server_stops_during_a_transfer(site):
    s = site()
    raw = Raw(s)
    raw.begin()
    raw.write(raw.open(s.there / "up", 0x1a), 0, b"y" * 500)
    assert s.server.stop() == 0
    raw.process.wait(30)
    assert last_close(s).endswith(": interrupted: the connection was lost")


def test_settings_that_are_read_again(site, tmp_path):
    path = tmp_path / "config"
    path.write_text("")
    s = site(arguments=["-f", path])
    assert s.sftp(f"put {s.file()} {s.there}/a").returncode == 0
    path.write_text("TransferReadOnly yes\nSubsystem sftp internal-sftp -l VERBOSE\n")
    s.server.process.send_signal(1)
    s.server.log("read again|Reread|re-read|reloaded|Received SIGHUP")
    assert s.sftp(f"put {s.file()} {s.there}/b").returncode == 1
