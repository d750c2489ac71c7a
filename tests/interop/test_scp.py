"""scp's far end (tests/tools/scp_server) with OpenSSH's "scp -O", PuTTY's "pscp -scp" and AsyncSSH's
client, over a file system in memory and over a folder; and clients that break the rules, whose
bytes go through OpenSSH's ssh."""

import asyncio
import filecmp
import os
import signal
import stat
import subprocess

import asyncssh
import pytest

from conftest import MEBIBYTES
from servers import PATIENCE, Program, built, parse_json

PLAIN = ["-F", "none", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
         "-o", "LogLevel=ERROR"]
SIZES = [0, 1, 32767, 32768, 262145]


class ScpServer(Program):
    parse = staticmethod(parse_json)

    def __init__(self, where, *options):
        super().__init__([built("tools", "scp_server"), "0", str(where), *options])
        line = self.out.wait(lambda e: e.get("text", "").startswith("listening on "))["text"]
        self.port = int(line.rsplit(":", 1)[1])

    def event(self, name, **fields):
        return self.out.wait(lambda e: e.get("event") == name
                             and all(e.get(k) == v for k, v in fields.items()))

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        code = self.finish(lambda: self.process.send_signal(signal.SIGTERM))
        if kind is None:
            assert code == 0, f"scp_server ended with {code}"


@pytest.fixture(params=["memory", "folder"])
def server(request, tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    with ScpServer("memory" if request.param == "memory" else root) as running:
        yield running


@pytest.fixture
def folder(tmp_path):
    """A server over a folder, as `.root`."""
    root = tmp_path / "root"
    root.mkdir()
    with ScpServer(root) as running:
        running.root = root
        yield running


def run(arguments):
    return subprocess.run(arguments, capture_output=True, text=True, timeout=PATIENCE * 5,
                          check=False)


def scp(server, *arguments):
    """"@PATH" stands for the server's PATH."""
    where = [f"user@127.0.0.1:{a[1:]}" if a[0] == "@" else a for a in map(str, arguments)]
    return run(["scp", "-O", *PLAIN, "-P", str(server.port), *where])


def good(server, *arguments):
    result = scp(server, *arguments)
    assert result.returncode == 0, result.stdout + result.stderr
    return result


def bad(server, *arguments):
    result = scp(server, *arguments)
    assert result.returncode == 1, result.stdout + result.stderr
    return result.stderr


def same(one, other):
    return filecmp.cmp(one, other, shallow=False)


def make_tree(path):
    for number in range(60):
        place = path / f"d{number % 5}" / f"e{number % 3}"
        place.mkdir(parents=True, exist_ok=True)
        (place / f"file {number} \u00e4'$x").write_text(f"text {number}\n" * number)
    (path / "d1" / "run").write_text("#!/bin/sh\n")
    (path / "d1" / "run").chmod(0o750)
    (path / "d1" / "empty").mkdir(mode=0o711)
    os.utime(path / "d1" / "run", (1_000_000_000, 1_111_111_111))
    os.utime(path / "d2", (1_000_000_001, 1_222_222_222))
    return path


def look(path):
    status = os.stat(path)
    return stat.S_IMODE(status.st_mode), int(status.st_mtime)


# ---- OpenSSH's scp -------------------------------------------------------------------------------


def test_every_size_there_and_back(server, tmp_path):
    for size in SIZES:
        (tmp_path / f"in{size}").write_bytes(os.urandom(size))
        good(server, tmp_path / f"in{size}", "@")
        done = server.event("transfer", written=size, path=f"./in{size}")
        assert done["by_client"] and done["status"] == 0 and done["user"] == "user"
        good(server, f"@in{size}", tmp_path / "out")
        assert same(tmp_path / f"in{size}", tmp_path / "out")
        assert server.event("transfer", read=size, path=f"in{size}")["by_client"]


def test_a_large_file_there_and_back(server, random_file, tmp_path):
    path, _, size = random_file
    assert size == MEBIBYTES << 20
    good(server, path, "@/large")
    good(server, "@/large", tmp_path / "large")
    assert same(path, tmp_path / "large")


def test_a_shorter_file_over_a_longer_one(server, tmp_path):
    (tmp_path / "long").write_bytes(b"x" * 100_000)
    (tmp_path / "short").write_bytes(b"y" * 10)
    good(server, tmp_path / "long", "@f")
    good(server, tmp_path / "short", "@f")
    good(server, "@f", tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == b"y" * 10


def test_a_tree_there_and_back(server, tmp_path):
    tree = make_tree(tmp_path / "tree")
    good(server, "-r", tree, "@there")
    good(server, "-r", "@there", tmp_path / "back")
    subprocess.run(["diff", "-r", str(tree), str(tmp_path / "back")], check=True)
    good(server, "-r", tree, "@there")  # it is there now: into it
    good(server, "-r", "@there/tree", tmp_path / "second")
    subprocess.run(["diff", "-r", str(tree), str(tmp_path / "second")], check=True)


def test_modes_and_times_with_p(server, tmp_path):
    tree = make_tree(tmp_path / "tree")
    good(server, "-rp", tree, "@there")
    good(server, "-rp", "@there", tmp_path / "back")
    for name in ("d1/run", "d2", "d1/empty"):
        assert look(tree / name) == look(tmp_path / "back" / name), name


def test_modes_without_p(folder, tmp_path):
    (tmp_path / "f").write_text("text")
    (tmp_path / "f").chmod(0o6751)
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "g").write_text("text")
    (tmp_path / "d").chmod(0o500)
    good(folder, "-r", tmp_path / "f", tmp_path / "d", "@.")
    assert stat.S_IMODE((folder.root / "f").stat().st_mode) & 0o7000 == 0
    assert stat.S_IMODE((folder.root / "f").stat().st_mode) & 0o700 == 0o700
    assert stat.S_IMODE((folder.root / "d").stat().st_mode) == 0o500
    (tmp_path / "f").chmod(0o640)
    good(folder, tmp_path / "f", "@f")  # one that is there keeps its mode
    assert stat.S_IMODE((folder.root / "f").stat().st_mode) & 0o001


def test_a_thousand_small_files(server, tmp_path):
    many = tmp_path / "many"
    many.mkdir()
    for number in range(1000):
        (many / f"{number}").write_text(str(number))
    good(server, "-r", many, "@many")
    (tmp_path / "back").mkdir()
    good(server, "@many/*", tmp_path / "back")
    subprocess.run(["diff", "-r", str(many), str(tmp_path / "back")], check=True)


def test_several_files_and_patterns(server, tmp_path):
    names = ["a.txt", "b.txt", "c.bin", "it's $HOME", ".hidden.txt", "x[1].txt"]
    for name in names:
        (tmp_path / name).write_text(name)
    good(server, "-p", *[tmp_path / name for name in names], "@/")
    for pattern, found in (("*.txt", ["a.txt", "b.txt", "x[1].txt"]),
                           ("/[!a].???", ["b.txt", "c.bin"]),
                           ("x\\[1\\].*", ["x[1].txt"]),
                           ("'it'\\''s $HOME'", ["it's $HOME"]),
                           ('~/"a.txt"', ["a.txt"]),
                           ("./.h*", [".hidden.txt"])):
        back = tmp_path / "back"
        back.mkdir()
        good(server, "-T", f"@{pattern}", back)
        assert sorted(os.listdir(back)) == sorted(found), pattern
        for name in found:
            assert (back / name).read_text() == name
            (back / name).unlink()
        back.rmdir()


def test_failures_are_told(server, tmp_path):
    (tmp_path / "f").write_text("text")
    (tmp_path / "d").mkdir()
    assert "scp: absent: No such file or directory" in bad(server, "@absent", tmp_path / "x")
    assert "absent*: No such file" in bad(server, "@absent*", tmp_path / "x")
    assert "No such file or directory" in bad(server, tmp_path / "f", "@no/such/folder")
    good(server, "-r", tmp_path / "d", "@d")
    assert "not a regular file" in bad(server, "@d", tmp_path / "x")
    good(server, tmp_path / "f", "@f")
    assert "Not a directory" in bad(server, "-r", tmp_path / "d", tmp_path / "f", "@f")
    # One that fails does not keep the others.
    good(server, tmp_path / "f", "@d/f")
    assert "No such file" in bad(server, "@absent", "@d/f", tmp_path / "d")
    assert (tmp_path / "d" / "f").read_text() == "text"
    server.event("closed", status=1)
    server.event("closed", status=0)


def test_what_is_not_allowed(tmp_path):
    (tmp_path / "f").write_text("text")
    with ScpServer("memory", "read-only") as server:
        assert "can't be sent" in bad(server, tmp_path / "f", "@f")
    with ScpServer("memory", "write-only") as server:
        good(server, tmp_path / "f", "@f")
        assert "can't be fetched" in bad(server, "@f", tmp_path / "g")


def test_limits(tmp_path):
    deep = tmp_path / "a" / "b" / "c"
    deep.mkdir(parents=True)
    (tmp_path / "a" / "f").write_text("text")
    (tmp_path / "large").write_bytes(b"x" * 1001)
    (tmp_path / "fits").write_bytes(b"x" * 1000)
    with ScpServer("memory", "small") as server:
        assert "too deep" in bad(server, "-r", tmp_path / "a", "@a")
        good(server, "@a/f", tmp_path / "out")
        assert "too large" in bad(server, tmp_path / "large", "@f")
        for name in "1234":
            good(server, tmp_path / "fits", f"@{name}")
        assert "too many names" in bad(server, "@[1-4]", tmp_path / "a")


def test_links_lead_nowhere_outside(folder, tmp_path):
    (tmp_path / "secret").write_text("secret")
    (folder.root / "link").symlink_to(tmp_path / "secret")
    (folder.root / "up").symlink_to("..")
    (folder.root / "fifo").parent.mkdir(exist_ok=True)
    os.mkfifo(folder.root / "fifo")
    bad(folder, "@link", tmp_path / "out")
    bad(folder, "@../secret", tmp_path / "out")
    bad(folder, "@up/secret", tmp_path / "out")
    assert "not a regular file" in bad(folder, "@fifo", tmp_path / "out")
    (tmp_path / "f").write_text("text")
    scp(folder, tmp_path / "f", "@link")
    assert (tmp_path / "secret").read_text() == "secret"
    good(folder, tmp_path / "f", "@../g")
    assert (folder.root / "g").read_text() == "text"


# ---- PuTTY's and AsyncSSH's ----------------------------------------------------------------------


def test_pscp(folder, tmp_path):
    def pscp(*arguments):
        plink = subprocess.run(
            ["pscp", "-scp", "-batch", "-P", str(folder.port), "-l", "user", "-hostkey",
             fingerprint, *map(str, arguments)], capture_output=True, text=True,
            timeout=PATIENCE * 5, check=False)
        assert plink.returncode == 0, plink.stdout + plink.stderr

    scanned = run(["ssh-keyscan", "-p", str(folder.port), "127.0.0.1"])
    key = tmp_path / "key"
    key.write_text(scanned.stdout)
    fingerprint = run(["ssh-keygen", "-lf", str(key)]).stdout.split()[1]
    tree = make_tree(tmp_path / "tree")
    (tmp_path / "f").write_bytes(os.urandom(300_000))
    pscp("-p", tmp_path / "f", "127.0.0.1:f")
    assert same(tmp_path / "f", folder.root / "f")
    assert look(tmp_path / "f")[1] == look(folder.root / "f")[1]
    pscp("-r", tree, "127.0.0.1:there")
    subprocess.run(["diff", "-r", str(tree), str(folder.root / "there")], check=True)
    pscp("127.0.0.1:f", tmp_path / "back")
    assert same(tmp_path / "f", tmp_path / "back")
    (tmp_path / "into").mkdir()
    pscp("-r", "127.0.0.1:there", tmp_path / "into")
    subprocess.run(["diff", "-r", str(tree), str(tmp_path / "into" / "there")], check=True)


def test_asyncssh(server, tmp_path):
    tree = make_tree(tmp_path / "tree")
    (tmp_path / "f").write_bytes(os.urandom(300_000))

    async def work():
        async with asyncssh.connect("127.0.0.1", server.port, username="user", known_hosts=None,
                                    client_keys=None, config=None) as there:
            await asyncssh.scp(str(tmp_path / "f"), (there, "f"), preserve=True)
            await asyncssh.scp((there, "f"), str(tmp_path / "back"))
            await asyncssh.scp(str(tree), (there, "there"), recurse=True, preserve=True)
            await asyncssh.scp((there, "there"), str(tmp_path / "copy"), recurse=True,
                               preserve=True)
            with pytest.raises(asyncssh.SFTPError, match="No such file"):
                await asyncssh.scp((there, "absent"), str(tmp_path / "x"))
            with pytest.raises(asyncssh.SFTPError, match="Not a directory|No such file"):
                await asyncssh.scp([str(tmp_path / "f"), str(tmp_path / "f")], (there, "f/g"))

    asyncio.run(asyncio.wait_for(work(), PATIENCE * 3))
    assert same(tmp_path / "f", tmp_path / "back")
    subprocess.run(["diff", "-r", str(tree), str(tmp_path / "copy")], check=True)
    assert look(tree / "d1" / "run") == look(tmp_path / "copy" / "d1" / "run")


def test_curl(server, tmp_path):
    """libssh2's, which puts the path into quotes."""
    def curl(path, *arguments):
        return run(["curl", "-sS", "-k", "-u", "user:x", *map(str, arguments),
                    f"scp://127.0.0.1:{server.port}{path}"])

    if "scp" not in run(["curl", "-V"]).stdout.split():
        pytest.skip("this curl has no scp")
    for size in SIZES[1:]:
        (tmp_path / "in").write_bytes(os.urandom(size))
        assert curl("/it's%20new", "-T", tmp_path / "in").returncode == 0
        assert curl("/it's%20new", "-o", tmp_path / "out").returncode == 0
        assert same(tmp_path / "in", tmp_path / "out")
    assert curl("/absent", "-o", tmp_path / "out").returncode == 78
    assert curl("/absent/f", "-T", tmp_path / "in").returncode != 0


# ---- clients that break the rules ----------------------------------------------------------------


class Bytes:
    """A client of our own: what it says goes through ssh to a command's standard input."""

    def __init__(self, server, command):
        self.process = subprocess.Popen(
            ["ssh", "-T", *PLAIN, "-p", str(server.port), "user@127.0.0.1", command],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def send(self, data):
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def expect(self, data):
        assert self.process.stdout.read(len(data)) == data

    def rest(self):
        """All that comes, and the exit status; our end is closed before."""
        out, _ = self.process.communicate(timeout=PATIENCE)
        return out, self.process.returncode

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            try:
                stream.close()
            except BrokenPipeError:
                pass


HOSTILE = [b"../evil", b"/evil", b"..", b".", b"", b"a/b", b"a\x01b", b"a\x1b[2Jb", b"a\rb",
           b"a\0b", b"a\x7fb", b"x" * 1025]


@pytest.mark.parametrize("record", [b"C0644 4 ", b"D0755 0 "])
@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_names(folder, tmp_path, record, name):
    (folder.root / "d").mkdir()
    with Bytes(folder, "scp -r -t d") as client:
        client.expect(b"\0")
        client.send(record + name + b"\n")
        assert client.rest() == (b"\2scp: protocol error: unexpected filename\n", 1)
    assert sorted(os.listdir(folder.root)) == ["d"] and os.listdir(folder.root / "d") == []
    assert sorted(os.listdir(tmp_path)) == ["root"]


@pytest.mark.parametrize("line, why", [
    (b"\n", b"unexpected <newline>"),
    (b"X\n", b"expected control record"),
    (b"\0\n", b"expected control record"),
    (b"C644 4 f\n", b"bad mode"),
    (b"C0844 4 f\n", b"bad mode"),
    (b"C06444 4 f\n", b"mode not delimited"),
    (b"C0644 -1 f\n", b"bad size"),
    (b"C0644 9223372036854775808 f\n", b"bad size"),
    (b"C0644  4 f\n", b"bad size"),
    (b"T1 2\n", b"bad modification time"),
    (b"T1 0 4294967296 0\n", b"bad access time"),
    (b"E\n", b"end of a directory that was not begun"),
    (b"D0755 0 d\n", b"received directory without -r"),
    (b"C" * 5000, b"the line is too long"),
])
def test_bad_records(server, line, why):
    with Bytes(server, "scp -t .") as client:
        client.expect(b"\0")
        client.send(line)
        assert client.rest() == (b"\2scp: protocol error: " + why + b"\n", 1)


def test_sizes_that_lie(folder):
    """More than announced is no record; less leaves what has come, as with scp."""
    (folder.root / "short").write_bytes(b"x" * 20)
    with Bytes(folder, "scp -t .") as client:
        client.expect(b"\0")
        client.send(b"C0644 4 more\n")
        client.expect(b"\0")
        client.send(b"texttext\0")
        out, status = client.rest()
        assert status == 1 and b"\0" not in out
    assert (folder.root / "more").read_bytes() == b"text"
    with Bytes(folder, "scp -t .") as client:
        client.expect(b"\0")
        client.send(b"C0644 10 short\n")
        client.expect(b"\0")
        client.send(b"text")
        assert client.rest() == (b"\2scp: ./short: dropped connection\n", 1)
    assert (folder.root / "short").read_bytes() == b"text" + b"x" * 16
    assert not folder.event("transfer", path="./short")["by_client"]


def test_messages_are_no_files(server):
    with Bytes(server, "scp -t .") as client:
        client.expect(b"\0")
        client.send(b"\1scp: x: Permission denied\nC0644 1 f\n")
        client.expect(b"\0")
        client.send(b"x\1it has changed\n")
        client.expect(b"\0")
        client.send(b"\2the end\n")
        assert client.rest() == (b"", 1)


@pytest.mark.parametrize("command", [
    "scp -t x; id", "scp -f $(id)", "scp -f `id`", "scp -f $HOME", "scp -t x > y", "scp -t {a,b}",
    "scp -t 'x", "scp -t", "scp -f -t x", "scp -f -Z x", "scp -t x y", "scp -t *", "scp -f x&",
])
def test_refused_commands(server, command):
    with Bytes(server, command) as client:
        out, status = client.rest()
        assert status == 1 and out.startswith(b"\2scp: ") and out.endswith(b"\n"), out


@pytest.mark.parametrize("command", ["id", "scpx -t x", "scp x y", "scp -- -t", "/bin/scp -t x"])
def test_no_scp_commands(server, command):
    with Bytes(server, command) as client:
        out, status = client.rest()
        assert out == b"" and status != 0


def test_names_that_cannot_be_sent(folder, tmp_path):
    (folder.root / "d").mkdir()
    (folder.root / "d" / "evil\nD0777 0 x").write_text("text")
    (folder.root / "d" / "good").write_text("text")
    assert "can't be sent" in bad(folder, "-r", "@d", tmp_path / "back")
    assert os.listdir(tmp_path / "back") == ["good"]
    with Bytes(folder, "scp -f /") as client:
        client.send(b"\0")
        out, status = client.rest()
        assert status == 1 and out.startswith(b"\1scp: /: ")


def open_files(server, root):
    folder = f"/proc/{server.pid}/fd"
    paths = [os.path.realpath(os.path.join(folder, fd)) for fd in os.listdir(folder)]
    return [path for path in paths if path.startswith(str(root) + "/")]


def test_killed_while_sending(folder):
    with Bytes(folder, "scp -r -t .") as client:
        client.expect(b"\0")
        client.send(b"D0755 0 d\n")
        client.expect(b"\0")
        client.send(b"C0644 1000000000 f\n")
        client.expect(b"\0")
        client.send(b"x" * 500_000)
    assert not folder.event("transfer", path="./d/f")["by_client"]
    folder.event("closed", status=1)
    assert open_files(folder, folder.root) == []


def test_stopped_while_sending(tmp_path):
    """The server's end closes the file, and is not late for it."""
    root = tmp_path / "root"
    root.mkdir()
    server = ScpServer(root)
    with Bytes(server, "scp -t .") as client:
        client.expect(b"\0")
        client.send(b"C0644 1000000000 f\n")
        client.expect(b"\0")
        client.send(b"x" * 500_000)
        assert server.finish(lambda: server.process.send_signal(signal.SIGTERM)) == 0
    assert not server.event("transfer", path="./f")["by_client"]
    server.event("closed", status=1)


def test_killed_while_fetching(folder):
    (folder.root / "d" / "e").mkdir(parents=True)
    with open(folder.root / "d" / "e" / "f", "wb") as file:
        file.truncate(100 << 20)
    with Bytes(folder, "scp -r -f d") as client:
        client.send(b"\0\0\0\0")  # nobody said that it must wait
        client.expect(b"D0755 0 d\nD0755 0 e\nC0644 104857600 f\n" + b"\0" * 300_000)
    assert not folder.event("transfer", path="d/e/f")["by_client"]
    folder.event("closed", status=1)
    assert open_files(folder, folder.root) == []
