"""SFTP: real clients against tests/tools/sftp_server, on the file system in memory and on a directory of
this machine."""

import hashlib
import os
import re
import select
import shutil
import signal
import struct
import subprocess

import pytest

from servers import PATIENCE, Program, built, parse_json

SIZES = (0, 1, 32767, 32768, 32769, 1000000)
MEBIBYTES = int(os.environ.get("SALLYPORT_MEBIBYTES", "64"))
SMALL_FILES = int(os.environ.get("SALLYPORT_FILES", "1000"))


class SftpServer(Program):
    parse = staticmethod(parse_json)

    def __init__(self, host_key, *arguments):
        super().__init__([built("tools", "sftp_server"), "0", str(host_key), *map(str, arguments)])
        line = self.wait("text")["text"]
        self.port = int(re.search(r":(\d+)$", line).group(1))
        self.host_key_paths = [host_key]

    def wait(self, name, start=0, **fields):
        return self.out.wait(
            lambda e: e.get("event") == name and all(e.get(k) == v for k, v in fields.items()),
            start=start,
        )

    def mark(self):
        with self.out.condition:
            return len(self.out.items)

    def close(self):
        code = self.finish(lambda: self.process.send_signal(signal.SIGTERM))
        assert code == 0, f"sftp_server ended with {code}"


@pytest.fixture
def start(keys):
    running = []

    def start_one(*arguments):
        running.append(SftpServer(keys.host("ed25519"), *arguments))
        return running[-1]

    yield start_one
    for server in running:
        server.close()


@pytest.fixture(params=["memory", "posix"])
def sftp(request, start, tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    return start("memory" if request.param == "memory" else root)


@pytest.fixture(scope="session")
def random_files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sftp")
    found = []
    for size in SIZES:
        path = folder / f"bytes{size}"
        path.write_bytes(os.urandom(size))
        found.append(path)
    return found


@pytest.fixture(scope="session")
def large_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("sftp") / "large"
    with open(path, "wb") as file:
        for _ in range(MEBIBYTES):
            file.write(os.urandom(1 << 20))
    return path


@pytest.fixture(scope="session")
def medium_file(tmp_path_factory, large_file):
    """For clients in Python, which are slow: up to 16 MiB."""
    path = tmp_path_factory.mktemp("sftp") / "medium"
    with open(large_file, "rb") as file:
        path.write_bytes(file.read(16 << 20))
    return path


@pytest.fixture(scope="session")
def small_files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sftp") / "many"
    folder.mkdir()
    for i in range(SMALL_FILES):
        (folder / f"file{i:04}").write_bytes(b"%d\n" % i * (i % 50))
    return folder


def digest(path):
    value = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(1 << 20):
            value.update(piece)
    return value.hexdigest()


def same_folders(one, two):
    return {p.name: digest(p) for p in one.iterdir()} == {p.name: digest(p) for p in two.iterdir()}


SSH_OPTIONS = [
    "-oStrictHostKeyChecking=no", "-oUserKnownHostsFile=/dev/null", "-oLogLevel=ERROR",
    "-oIdentityAgent=none", "-F/dev/null",
]


def run(arguments, text="", cwd=None, ok=True, env=None):
    environment = {**os.environ, **(env or {}), "SSH_AUTH_SOCK": ""}
    done = subprocess.run(
        [str(a) for a in arguments], input=text, capture_output=True, text=True, timeout=PATIENCE * 5,
        cwd=cwd, env=environment, check=False,
    )
    assert not ok or done.returncode == 0, (done.returncode, done.stdout, done.stderr)
    return done


def openssh(server, batch, cwd, ok=True, options=()):
    return run(["sftp", *SSH_OPTIONS, *options, "-P", server.port, "-b", "-", "user@127.0.0.1"],
               "\n".join(batch) + "\n", cwd=cwd, ok=ok)


# ---- OpenSSH


def test_openssh_sizes(sftp, random_files, tmp_path):
    batch = []
    for path in random_files:
        batch += [f"put {path} {path.name}", f"get {path.name} {tmp_path}/{path.name}"]
    openssh(sftp, batch, tmp_path)
    for path in random_files:
        assert digest(path) == digest(tmp_path / path.name)
    sftp.wait("transfer", path="/bytes1000000", written=1000000, read=0, user="user",
              by_client=True, status=0)
    sftp.wait("transfer", path="/bytes1000000", read=1000000, written=0)
    sftp.wait("closed", status=0)


@pytest.mark.parametrize("options", [(), ("-B", "200000", "-R", "4"), ("-B", "1000", "-R", "200")])
def test_openssh_large(sftp, large_file, tmp_path, options):
    openssh(sftp, [f"put {large_file} x", f"get x {tmp_path}/x"], tmp_path, options=options)
    assert digest(large_file) == digest(tmp_path / "x")


def test_openssh_many_small_files(sftp, small_files, tmp_path):
    (tmp_path / "back").mkdir()
    openssh(sftp, ["mkdir many", f"put {small_files}/* many", "ls -l many",
                   f"get many/* {tmp_path}/back"], tmp_path)
    assert same_folders(small_files, tmp_path / "back")


def test_openssh_folders(sftp, small_files, tmp_path):
    source = tmp_path / "source"
    (source / "deep" / "er").mkdir(parents=True)
    (source / "deep" / "er" / "x").write_text("x")
    (source / "empty").mkdir()
    openssh(sftp, [f"put -R {source} .", f"get -R source {tmp_path}/back"], tmp_path)
    assert (tmp_path / "back" / "deep" / "er" / "x").read_text() == "x"
    assert list((tmp_path / "back" / "empty").iterdir()) == []


def test_openssh_keeps_times_and_modes(sftp, random_files, tmp_path):
    source = tmp_path / "source"
    shutil.copy(random_files[2], source)
    os.chmod(source, 0o640)
    os.utime(source, (1000000000, 1100000000))
    openssh(sftp, [f"put -p {source} x", f"get -p x {tmp_path}/back"], tmp_path)
    status = os.stat(tmp_path / "back")
    assert status.st_mode & 0o777 == 0o640
    assert (int(status.st_atime), int(status.st_mtime)) == (1000000000, 1100000000)


def test_openssh_resumes(sftp, random_files, tmp_path):
    whole = random_files[-1]
    part = tmp_path / "part"
    part.write_bytes(whole.read_bytes()[:300000])
    openssh(sftp, [f"put {part} x", f"reput {whole} x", f"reget x {part}"], tmp_path)
    assert digest(part) == digest(whole)
    sftp.wait("transfer", path="/x", written=700000)
    sftp.wait("transfer", path="/x", read=700000)


def test_openssh_names(sftp, random_files, tmp_path):
    a, b = random_files[1], random_files[2]
    done = openssh(sftp, [
        f"put {a} a", f"put {b} b", "rename a b", "ln -s b soft", "ln b hard", "mkdir d",
        "chmod 600 b", "ls -l", "df", "copy b d/c", "cd d", "pwd", "ls -l", "lls",
    ], tmp_path)
    assert re.search(r"-rw------- +\S+ +\S+ +\S+ +1 .* b", done.stdout), done
    assert re.search(r"lrwxrwxrwx .* soft", done.stdout)
    assert re.search(r"drwx.* d", done.stdout)
    assert "Remote working directory: /d" in done.stdout
    assert re.search(r" 1 .* c\n", done.stdout)
    openssh(sftp, [f"get soft {tmp_path}/soft", f"get hard {tmp_path}/hard", "rm soft", "rm hard",
                   "rm d/c", "rmdir d"], tmp_path)
    assert digest(a) == digest(tmp_path / "soft") == digest(tmp_path / "hard")


@pytest.mark.parametrize("order,words", [
    ("get none", "not found"),
    ("put {file} none/x", "No such file"),
    ("rmdir none", "No such file"),
    ("rm none", "No such file"),
    ("mkdir b", "Failure"),
    ("rename none x", "No such file"),
    ("rmdir d", "Failure"),
    ("ls none", "not found"),
    ("rm d", "Failure"),
])
def test_openssh_is_told_why_not(sftp, random_files, tmp_path, order, words):
    setup = [f"put {random_files[1]} b", "mkdir d", f"put {random_files[1]} d/x"]
    done = openssh(sftp, setup + [order.format(file=random_files[1])], tmp_path, ok=False)
    assert done.returncode == 1
    assert words in done.stderr, done


def test_openssh_read_only(start, random_files, tmp_path):
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "x").write_bytes(random_files[1].read_bytes())
    server = start(tmp_path / "root", "read-only")
    openssh(server, [f"get x {tmp_path}/y"], tmp_path)
    for order in (f"put {random_files[1]} z", "rm x", "mkdir d", "rename x y", "chmod 600 x",
                  "ln -s x l", "ln x l"):
        done = openssh(server, [order], tmp_path, ok=False)
        assert done.returncode == 1 and "ermission denied" in done.stderr, done


def test_small_limits(start, random_files, tmp_path):
    server = start("memory", "small")
    openssh(server, [f"put {random_files[-1]} x", f"get x {tmp_path}/x", "ls -l"], tmp_path)
    assert digest(random_files[-1]) == digest(tmp_path / "x")


# ---- the protocol itself, through ssh -s


class Raw:
    """A client that sends what it likes."""

    def __init__(self, server):
        self.process = subprocess.Popen(
            ["ssh", *SSH_OPTIONS, "-p", str(server.port), "-s", "user@127.0.0.1", "sftp"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.process.kill()
        self.process.wait()
        self.process.stdin = None
        self.process.stdout.close()

    def send(self, *packets):
        for packet in packets:
            self.process.stdin.write(struct.pack(">I", len(packet)) + packet)
        self.process.stdin.flush()

    def receive(self):
        header = self.process.stdout.read(4)
        if len(header) < 4:
            return b""
        return self.process.stdout.read(struct.unpack(">I", header)[0])

    def end(self):
        self.process.stdin.close()
        return self.process.wait(PATIENCE)


def text(value):
    return struct.pack(">I", len(value)) + value


INIT = b"\1\0\0\0\3"


def opening(path, flags, number=1):
    return b"\3" + struct.pack(">I", number) + text(path) + struct.pack(">II", flags, 0)


def test_extensions_are_announced(sftp):
    with Raw(sftp) as raw:
        raw.send(INIT)
        reply = raw.receive()
        assert reply[:5] == b"\2\0\0\0\3"
        for name in (b"posix-rename@openssh.com", b"statvfs@openssh.com", b"fstatvfs@openssh.com",
                     b"hardlink@openssh.com", b"fsync@openssh.com", b"lsetstat@openssh.com",
                     b"limits@openssh.com", b"expand-path@openssh.com", b"copy-data",
                     b"home-directory"):
            version = b"2" if b"statvfs" in name else b"1"
            assert text(name) + text(version) in reply
        assert raw.end() == 0


@pytest.mark.parametrize("packet", [
    b"\x11\0\0\0\1\0\0\0\x09/",          # a string that is longer than its packet
    b"\x11\0\0\0\1\0\0\0\3a\0b",         # a path with NUL
    INIT,                                # once more
    b"\x11\0\0",
])
def test_a_malformed_packet_ends_the_session(sftp, packet):
    with Raw(sftp) as raw:
        raw.send(INIT, opening(b"/f", 0x1a), packet, b"\x11\0\0\0\1\0\0\0\1/")
        assert raw.receive()[:1] == b"\2"
        assert raw.receive()[:1] == b"\x66"
        assert raw.receive() == b""
        assert raw.process.wait(PATIENCE) == 255
    sftp.wait("transfer", path="/f", by_client=False)
    sftp.wait("closed", status=255)


def test_requests_before_init_end_the_session(sftp):
    with Raw(sftp) as raw:
        raw.send(b"\x11\0\0\0\1\0\0\0\1/")
        assert raw.receive() == b""
        assert raw.process.wait(PATIENCE) == 255


def test_what_was_asked_before_the_end_is_done(sftp):
    """The client sends a file and its end, and reads nothing before."""
    with Raw(sftp) as raw:
        raw.send(INIT, opening(b"/f", 0x1b))
        raw.receive()
        handle = raw.receive()[9:]
        for i in range(100):
            raw.send(b"\6" + struct.pack(">I", i) + text(handle) + struct.pack(">Q", i * 1000) +
                     text(b"x" * 1000))
        raw.send(b"\4\0\0\0\7" + text(handle))
        raw.process.stdin.close()
        replies = [raw.receive() for _ in range(101)]
        assert all(r[:1] == b"\x65" and r[5:9] == b"\0\0\0\0" for r in replies)
        assert raw.receive() == b""
        assert raw.process.wait(PATIENCE) == 0
    sftp.wait("transfer", path="/f", written=100000, by_client=True)


def test_a_client_that_reads_nothing(sftp, large_file, tmp_path):
    """It asks for far more than fits into windows and buffers, then vanishes; others go on."""
    openssh(sftp, [f"put {large_file} x"], tmp_path)
    mark = sftp.mark()
    with Raw(sftp) as raw:
        raw.send(INIT, opening(b"/x", 1))
        raw.receive()
        handle = raw.receive()[9:]
        asked = 0
        os.set_blocking(raw.process.stdin.fileno(), False)
        packet = b"\5\0\0\0\1" + text(handle) + struct.pack(">QI", 0, 200000)
        packet = struct.pack(">I", len(packet)) + packet
        while asked < 1000000:
            # A second without progress: it is held. On a slow machine this may end early.
            if not select.select([], [raw.process.stdin], [], 1)[1]:
                break
            os.write(raw.process.stdin.fileno(), packet * 1000)
            asked += 1000
        assert asked < 1000000  # the window held it
        openssh(sftp, ["ls"], tmp_path)
        with open(f"/proc/{sftp.pid}/status", encoding="ascii") as status:
            resident = int(re.search(r"VmRSS:\s+(\d+) kB", status.read()).group(1))
        assert resident < (200 + 2 * MEBIBYTES) * 1024
        raw.process.kill()
    sftp.wait("transfer", start=mark, path="/x", by_client=False)


def test_a_client_that_vanishes_within_a_write(sftp):
    mark = sftp.mark()
    with Raw(sftp) as raw:
        raw.send(INIT, opening(b"/f", 0x1b))
        raw.receive()
        handle = raw.receive()[9:]
        packet = b"\6\0\0\0\1" + text(handle) + struct.pack(">Q", 0) + text(b"y" * 30000)
        raw.send(packet)
        raw.receive()
        raw.process.stdin.write(struct.pack(">I", len(packet)) + packet[:1000])
        raw.process.stdin.flush()
        raw.process.kill()
    sftp.wait("transfer", start=mark, path="/f", written=30000, by_client=False)
    sftp.wait("closed", start=mark, status=0)


def test_the_server_stops_while_files_are_open(start, large_file, tmp_path):
    """Stopping waits until what was taken is done, and every file is closed."""
    (tmp_path / "root").mkdir()
    shutil.copy(large_file, tmp_path / "root" / "x")
    server = start(tmp_path / "root")
    with Raw(server) as raw:
        raw.send(INIT, opening(b"/x", 1), opening(b"/y", 0x1b, 2))
        raw.receive()
        handles = {reply[1:5]: reply[9:] for reply in (raw.receive(), raw.receive())}
        for i in range(60):
            raw.send(b"\5\0\0\0\3" + text(handles[b"\0\0\0\1"]) +
                     struct.pack(">QI", i << 17, 1 << 17))
        raw.send(b"\6\0\0\0\4" + text(handles[b"\0\0\0\2"]) + struct.pack(">Q", 0) + text(b"bytes"))
        raw.receive()
        server.process.send_signal(signal.SIGTERM)
        server.wait("transfer", path="/x", by_client=False)
        server.wait("transfer", path="/y", by_client=False)
        server.wait("closed")
        assert server.process.wait(PATIENCE) == 0


# ---- PuTTY


def psftp(keys, server, orders, cwd, ok=True):
    arguments = ["psftp", "-batch", "-P", server.port, "-l", "user", "-pw", "x"]
    for fingerprint in keys.host_fingerprints(server):
        arguments += ["-hostkey", fingerprint]
    script = os.path.join(cwd, "orders")
    with open(script, "w", encoding="utf-8") as file:
        file.write("\n".join(orders) + "\n")
    return run([*arguments, "-b", script, "127.0.0.1"], cwd=cwd, ok=ok,
               env={"HOME": str(cwd), "PUTTYDIR": str(cwd)})


def test_psftp(sftp, keys, random_files, large_file, tmp_path):
    orders = ["mkdir d", "cd d"]
    for path in [*random_files, large_file]:
        orders += [f"put {path} {path.name}", f"get {path.name} {tmp_path}/{path.name}"]
    orders += [f"chmod 600 {large_file.name}", f"mv {large_file.name} moved", "ls", "del moved"]
    done = psftp(keys, sftp, orders, tmp_path)
    for path in [*random_files, large_file]:
        assert digest(path) == digest(tmp_path / path.name)
    assert re.search(r"-rw------- .* moved", done.stdout), done
    done = psftp(keys, sftp, ["get none"], tmp_path, ok=False)
    assert "no such file" in (done.stdout + done.stderr).lower()


def test_psftp_resumes_and_recurses(sftp, keys, random_files, small_files, tmp_path):
    whole = random_files[-1]
    part = tmp_path / "part"
    part.write_bytes(whole.read_bytes()[:300000])
    psftp(keys, sftp, [f"put {part} x", f"reput {whole} x", f"reget x {part}",
                       f"put -r {small_files} many", f"get -r many {tmp_path}/back"], tmp_path)
    assert digest(part) == digest(whole)
    assert same_folders(small_files, tmp_path / "back")


# ---- lftp


def lftp(server, orders, cwd):
    program = "ssh -a -x " + " ".join(SSH_OPTIONS)
    settings = [
        f'set sftp:connect-program "{program}"', "set cmd:fail-exit yes", "set net:max-retries 2",
        "set net:timeout 60", f"open -u user,x sftp://127.0.0.1:{server.port}",
    ]
    return run(["lftp", "-f", "/dev/stdin"], "\n".join([*settings, *orders, "bye"]) + "\n", cwd=cwd,
               env={"HOME": str(cwd)})


@pytest.mark.skipif(not shutil.which("lftp"), reason="lftp is not installed")
def test_lftp(sftp, random_files, large_file, small_files, tmp_path):
    orders = []
    for path in [*random_files, large_file]:
        orders += [f"put {path} -o {path.name}", f"get {path.name} -o {tmp_path}/{path.name}"]
    orders += [f"mirror -R {small_files} many", f"mirror --parallel=4 many {tmp_path}/back",
               "chmod 600 bytes1", "mv bytes1 moved", "ls", "rm moved", "mkdir -p a/b/c",
               "rm -r a", f"pget -n 3 {large_file.name} -o {tmp_path}/pieces"]
    done = lftp(sftp, orders, tmp_path)
    for path in [*random_files, large_file]:
        assert digest(path) == digest(tmp_path / path.name)
    assert digest(large_file) == digest(tmp_path / "pieces")
    assert same_folders(small_files, tmp_path / "back")
    assert re.search(r"-rw------- .*moved", done.stdout), done


# ---- curl


def curl(server, path, *arguments, ok=True):
    return run(["curl", "-sS", "-k", "-u", "user:x", *arguments,
                f"sftp://127.0.0.1:{server.port}{path}"], ok=ok)


@pytest.mark.skipif("sftp" not in subprocess.run(["curl", "-V"], capture_output=True, text=True,
                                                 check=False).stdout, reason="curl has no SFTP")
def test_curl(sftp, random_files, large_file, tmp_path):
    for path in [*random_files, large_file]:
        curl(sftp, "/" + path.name, "-T", path)
        curl(sftp, "/" + path.name, "-o", tmp_path / path.name)
        if path.stat().st_size:
            assert digest(path) == digest(tmp_path / path.name)
    curl(sftp, "/bytes1000000", "-r", "10-29", "-o", tmp_path / "range")
    assert (tmp_path / "range").read_bytes() == random_files[-1].read_bytes()[10:30]
    part = tmp_path / "resumed"
    part.write_bytes(random_files[-1].read_bytes()[:1234])
    curl(sftp, "/bytes1000000", "-C", "-", "-o", part)
    assert digest(part) == digest(random_files[-1])
    curl(sftp, "/made/by/curl", "-T", random_files[1], "--ftp-create-dirs")
    curl(sftp, "/", "-Q", "rename /bytes1 /renamed", "-Q", "chmod 600 /renamed", "-o",
         tmp_path / "list")
    assert re.search(r"-rw------- .* renamed", (tmp_path / "list").read_text())
    assert curl(sftp, "/none", ok=False).returncode == 78
    assert curl(sftp, "/none/x", "-T", random_files[1], ok=False).returncode != 0


# ---- Paramiko


@pytest.fixture
def paramiko_client(sftp):
    paramiko = pytest.importorskip("paramiko")
    transport = paramiko.Transport(("127.0.0.1", sftp.port))
    transport.connect()
    transport.auth_none("user")
    client = paramiko.SFTPClient.from_transport(transport)
    yield client
    transport.close()


def test_paramiko_transfers(paramiko_client, random_files, medium_file, tmp_path):
    for path in [*random_files, medium_file]:
        paramiko_client.put(str(path), path.name)
        paramiko_client.get(path.name, str(tmp_path / path.name))
        assert digest(path) == digest(tmp_path / path.name)


def test_paramiko_files(paramiko_client):
    c = paramiko_client
    with c.open("f", "wx") as file:
        file.write(b"0123456789")
    with pytest.raises(OSError):
        c.open("f", "wx")
    with c.open("f", "r+") as file:
        file.seek(5)
        file.write(b"ABC")
        file.truncate(9)
        file.chmod(0o600)
        file.utime((1000, 2000))
        assert file.stat().st_size == 9
    with c.open("f", "a") as file:
        file.write(b"!")
    with c.open("f") as file:
        assert file.read() == b"01234ABC8!"
        file.seek(3)
        assert file.read(2) == b"34"
        assert file.readv([(0, 2), (8, 2)]).__next__() == b"01"
    status = c.stat("f")
    assert (status.st_size, status.st_mode & 0o777) == (10, 0o600)
    c.truncate("f", 3)
    assert c.stat("f").st_size == 3
    c.utime("f", (1000, 2000))
    assert (c.stat("f").st_atime, c.stat("f").st_mtime) == (1000, 2000)


def test_paramiko_names(paramiko_client):
    c = paramiko_client
    c.mkdir("d", 0o700)
    c.open("d/x", "w").close()
    c.open("y", "w").close()
    with pytest.raises(OSError):
        c.rename("d/x", "y")
    c.posix_rename("d/x", "y")
    c.symlink("y", "link")
    assert c.readlink("link") == "y"
    assert c.normalize("d/../y") == "/y"
    assert c.lstat("link").st_mode & 0o170000 == 0o120000
    names = {entry.filename for entry in c.listdir_attr(".")}
    assert names == {"d", "y", "link"}
    c.remove("link")
    c.rmdir("d")
    for call in (c.stat, c.listdir, c.remove, c.rmdir, c.readlink, c.open):
        with pytest.raises(FileNotFoundError):
            call("none")
    c.chdir("/")
    assert c.getcwd() == "/"


# ---- AsyncSSH


def test_asyncssh(sftp, random_files, medium_file, small_files, tmp_path):
    asyncssh = pytest.importorskip("asyncssh")
    import asyncio

    async def all_of_it():
        async with asyncssh.connect("127.0.0.1", sftp.port, username="user", known_hosts=None,
                                    client_keys=None, agent_path=None) as conn:
            async with conn.start_sftp_client() as client:
                await exercise(client)

    async def exercise(client):
        await client.put([*map(str, random_files), str(medium_file)], ".", preserve=True)
        await client.get([p.name for p in [*random_files, medium_file]], str(tmp_path),
                         preserve=True)
        await client.put(str(small_files), "many", recurse=True)
        await client.get("many", str(tmp_path / "back"), recurse=True)
        volume = await client.statvfs(".")
        assert volume.bsize > 0
        await client.symlink("many", "link")
        assert await client.readlink("link") == "many"
        await client.link("bytes1", "hard")
        await client.posix_rename("hard", "bytes0")
        assert (await client.stat("bytes0")).size == 1
        assert await client.exists("bytes1") and not await client.exists("none")
        with pytest.raises(asyncssh.SFTPNoSuchFile):
            await client.stat("none")
        with pytest.raises(asyncssh.SFTPFailure):
            await client.rename("bytes1", "bytes0")
        async with client.open("new", "w+") as file:
            await file.write("hello")
            await file.fsync()
            await file.seek(1)
            assert await file.read(3) == "ell"
            await file.truncate(2)
            assert (await file.statvfs()).bsize > 0
        assert await client.getsize("new") == 2
        assert len(await client.listdir("many")) == SMALL_FILES + 2
        await client.rmtree("many")
        assert not await client.exists("many")

    asyncio.run(all_of_it())
    for path in [*random_files, medium_file]:
        assert digest(path) == digest(tmp_path / path.name)
        assert int(os.stat(path).st_mtime) == int(os.stat(tmp_path / path.name).st_mtime)
    assert same_folders(small_files, tmp_path / "back")


# ---- sshfs


def mounted(path):
    with open("/proc/mounts", encoding="utf-8") as mounts:
        return f" {path} " in mounts.read()


def test_sshfs(sftp, random_files, large_file, small_files, tmp_path):
    point = tmp_path / "mnt"
    point.mkdir()
    if not shutil.which("sshfs") or not os.path.exists("/dev/fuse"):
        pytest.skip("no sshfs, or no FUSE")
    done = run(["sshfs", "user@127.0.0.1:/", point, "-p", sftp.port, "-F", "/dev/null",
                "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"], ok=False)
    if done.returncode != 0:
        pytest.skip("FUSE can't be used here: " + done.stderr.strip())
    try:
        for path in [*random_files, large_file]:
            shutil.copy(path, point / path.name)
            assert digest(path) == digest(point / path.name)
        shutil.copytree(small_files, point / "many")
        assert same_folders(small_files, point / "many")
        os.symlink("bytes1", point / "link")
        assert os.readlink(point / "link") == "bytes1"
        os.link(point / "bytes1", point / "hard")
        os.replace(point / "hard", point / "bytes0")
        assert os.path.getsize(point / "bytes0") == 1
        with open(point / "bytes32768", "r+b") as file:
            file.seek(100)
            file.write(b"in the middle")
            file.flush()
            os.fsync(file.fileno())
        os.truncate(point / "bytes32768", 200)
        assert (point / "bytes32768").read_bytes()[100:113] == b"in the middle"
        os.chmod(point / "bytes1", 0o600)
        assert os.stat(point / "bytes1").st_mode & 0o777 == 0o600
        with pytest.raises(FileNotFoundError):
            os.stat(point / "none")
        shutil.rmtree(point / "many")
        assert os.statvfs(point).f_blocks > 0
    finally:
        run(["fusermount3" if shutil.which("fusermount3") else "fusermount", "-u", point])
    assert not mounted(point)
