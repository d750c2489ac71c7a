"""sallyportd's ChrootDirectory: what clients name stays inside, only files are served, and roots that
others could change are refused."""

import os
import socket
import subprocess

import pytest

from sallyportd_site import *  # fixtures come by their names, too
from sallyportd_tools import *

pytestmark = needs_ssh


@pytest.fixture
def jail(tmp_path):
    """A root with ways out of it, and something outside."""
    root = tmp_path / "root"
    (root / "d").mkdir(parents=True)
    (tmp_path / "secret").write_text("secret")
    (root / "f").write_text("inside")
    (root / "up").symlink_to("../secret")
    (root / "absolute").symlink_to(tmp_path / "secret")
    (root / "folder").symlink_to(tmp_path)
    (root / "home").symlink_to("d")
    return root


def test_root(site, jail, tmp_path):
    s = site(f"ChrootDirectory {jail}")
    path = s.file()
    done = s.sftp("pwd", "get f", f"put {path} d/a", "ls -1 /", "get home/a b", "cd ../../..", "pwd")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Remote working directory: /\n") == 2
    assert (s.here / "f").read_text() == "inside"
    assert (s.here / "b").read_bytes() == (jail / "d" / "a").read_bytes() == path.read_bytes()
    assert f"session opened, root {jail}" in s.closed()
    for name in ("up", "absolute", "folder/secret", "../secret", "/../secret", "d/../../secret",
                 f"{tmp_path}/secret", "/etc/passwd", "/proc/self/root/etc/passwd"):
        done = s.sftp(f"get {name} stolen")
        assert done.returncode == 1 and not (s.here / "stolen").exists(), name
        assert s.scp(f":{name}", "stolen").returncode == 1
        assert not (s.here / "stolen").exists(), name
    for name in ("folder/made", "../made", "up", f"{tmp_path}/made"):
        s.sftp(f"put {path} {name}")
        s.scp(path, f":{name}")
    assert not (tmp_path / "made").exists()
    assert (tmp_path / "secret").read_text() == "secret"
    assert s.scp(f":f", "g").returncode == 0
    assert (s.here / "g").read_text() == "inside"
    assert s.scp(path, ":/d/c").returncode == 0
    assert (jail / "d" / "c").read_bytes() == path.read_bytes()


def test_nothing_but_files_under_a_root(site, jail):
    s = site(f"ChrootDirectory {jail}", "Subsystem other echo other", "InternalScp no")
    only = "This service allows file transfer connections only.\n"
    for words, more in (([], ["-T"]), (["echo in"], []), (["other"], ["-s"]), (["scp -t /"], []),
                        (["scp -f /f"], [])):
        done = s.server.ssh(*words, more=more)
        assert (done.returncode, done.stdout) == (1, only)
    s.server.log("refusing non-file transfer session: ChrootDirectory is set")
    assert s.sftp("get f").returncode == 0


def test_a_terminal_is_no_way_around(site, jail):
    s = site(f"ChrootDirectory {jail}")
    done = s.server.ssh("scp -f /etc/passwd", more=["-tt"])
    assert done.returncode == 1
    assert done.stdout == "This service allows file transfer connections only.\n"


def test_a_forced_program_under_a_root(site, jail):
    s = site(f"ChrootDirectory {jail}", "ForceCommand echo out")
    assert "out" not in s.server.ssh("x").stdout
    assert s.sftp("pwd").returncode != 0
    s = site(f"ChrootDirectory {jail}", "ForceCommand internal-sftp")
    assert s.sftp("get f").returncode == 0
    assert s.server.ssh("x").stdout == ONLY_SFTP


def test_a_program_as_sftp_under_a_root(site, jail):
    s = site(f"ChrootDirectory {jail}", "Subsystem sftp /usr/lib/openssh/sftp-server")
    assert s.sftp("get f").returncode != 0
    s.server.log("refusing non-file transfer session")


def test_no_sockets_under_a_root(site, jail, tmp_path):
    s = site(f"ChrootDirectory {jail}")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "socket"))
    listener.listen()
    listener.settimeout(0)
    ours = str(s.here / "ours")
    with subprocess.Popen(["ssh", *s.options, "-p", str(s.server.port), "-N", "-L",
                           f"{ours}:{tmp_path}/socket", s.target]) as forwarding:
        s.server.wait_for_file(s.here / "ours")
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(30)
            client.connect(ours)
            assert client.recv(1) == b""
        forwarding.terminate()
    s.server.log("Received request to connect to path .*/socket, but the request was denied")
    forward = ["-o", "ExitOnForwardFailure=yes", "-N", "-R", f"{tmp_path}/theirs:127.0.0.1:1"]
    assert s.server.ssh(more=forward).returncode == 255
    with pytest.raises(BlockingIOError):
        listener.accept()
    assert not (tmp_path / "theirs").exists()
    s.server.log("Received request to remote forward to path .*/theirs, but the request was denied")


def test_root_with_tokens_and_in_a_match_block(site, tmp_path):
    (tmp_path / f"root-{USER}").mkdir()
    (tmp_path / f"root-{USER}" / "f").write_text("inside")
    path = tmp_path / "config"
    path.write_text(f"Match localaddress 127.0.0.1\nChrootDirectory {tmp_path}/root-%u\n"
                    "ForceCommand internal-sftp -d /deep\n")
    s = site(arguments=["-f", path])
    done = s.sftp("pwd", "get f")
    assert done.returncode == 0 and "Remote working directory: /\n" in done.stdout
    s.server.log("the start directory /deep is not there")
    (tmp_path / f"root-{USER}" / "deep").mkdir()
    assert "Remote working directory: /deep\n" in s.sftp("pwd").stdout


def test_the_home_directory_in_the_root(site, jail):
    home = os.path.expanduser("~")
    inside = jail / home.lstrip("/")
    if inside.is_symlink():
        inside.unlink()
    s = site(f"ChrootDirectory {jail}")
    assert "Remote working directory: /\n" in s.sftp("pwd").stdout
    if not inside.exists() and not (jail / home.split("/")[1]).is_symlink():
        inside.mkdir(parents=True)
        assert f"Remote working directory: {home}\n" in s.sftp("pwd").stdout


@pytest.mark.parametrize("what", ["writable", "parent", "absent", "file", "link"])
def test_roots_that_are_not_safe(site, tmp_path, what):
    outer = tmp_path / "outer"
    root = outer / "root"
    root.mkdir(parents=True)
    path = root
    if what == "writable":
        root.chmod(0o770)
    elif what == "parent":
        outer.chmod(0o777)
    elif what == "absent":
        path = root / "none"
    elif what == "file":
        path = root / "f"
        path.touch()
    else:
        unsafe = tmp_path / "unsafe"
        unsafe.mkdir()
        unsafe.chmod(0o777)
        path = unsafe / "root"
        path.symlink_to(root)
    s = site(f"ChrootDirectory {path}")
    assert s.sftp("pwd").returncode != 0
    assert s.scp(s.file(), ":a").returncode != 0
    assert s.server.ssh("true").returncode == 1
    said = {"absent": "No such file or directory", "file": "Not a directory"}
    s.server.log(rf"^sftp {USER} from \S+ {PORT} refused: ChrootDirectory: /\S+: "
                 + said.get(what, "bad owner or modes"))
    s.server.log(rf"^scp {USER} from \S+ {PORT} refused: ChrootDirectory")
    outer.chmod(0o700)


def test_a_sticky_parent_is_safe(site, tmp_path):
    sticky = tmp_path / "sticky"
    (sticky / "root").mkdir(parents=True)
    sticky.chmod(0o1777)
    s = site(f"ChrootDirectory {sticky}/root")
    assert s.sftp("pwd").returncode == 0
    sticky.chmod(0o700)
