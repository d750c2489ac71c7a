"""The examples that serve files, with real clients: what may be done, and what is refused."""

import asyncio
import os
import sqlite3
import subprocess
import warnings

import asyncssh
import pytest

from rawssh import Raw
from servers import PATIENCE, Example, built
from test_sftp import SSH_OPTIONS, run

warnings.simplefilter("ignore")

import paramiko  # noqa: E402


def sftp(server, who, password, *batch):
    """OpenSSH's sftp, with a password: its exit status, output and errors."""
    return run(["sshpass", "-p", password, "sftp", *SSH_OPTIONS, "-oBatchMode=no", "-P",
                server.port, "-b", "-", f"{who}@127.0.0.1"], "\n".join(batch) + "\n", ok=False)


def scp(server, password, *arguments):
    return run(["sshpass", "-p", password, "scp", *SSH_OPTIONS, "-P", server.port, *arguments],
               ok=False)


def curl(server, login, path, *arguments):
    return run(["curl", "-sS", "-k", "-u", login, *arguments,
                f"sftp://127.0.0.1:{server.port}{path}"], ok=False)


class Paramiko:
    def __init__(self, server, who, password):
        self.transport = paramiko.Transport(("127.0.0.1", server.port))
        self.who = (who, password)

    def __enter__(self):
        if self.who[1] is None:
            self.transport.start_client()
            self.transport.auth_none(self.who[0])
        else:
            self.transport.connect(username=self.who[0], password=self.who[1])
        return paramiko.SFTPClient.from_transport(self.transport)

    def __exit__(self, *unused):
        self.transport.close()


# ---- drop_box


@pytest.fixture
def box(tmp_path):
    (tmp_path / "boxes").mkdir()
    with Example("drop_box", "-", str(tmp_path / "boxes")) as server:
        server.folder = tmp_path / "boxes"
        yield server


@pytest.fixture
def letter(tmp_path):
    path = tmp_path / "letter"
    path.write_bytes(os.urandom(100000))
    os.chmod(path, 0o4755)
    return path


def test_drop_box_takes_files(box, letter):
    def dropped(name, who="ann"):
        path = box.folder / who / name
        assert path.read_bytes() == letter.read_bytes()
        assert path.stat().st_mode & 0o7777 == 0o600  # whatever the client's file has

    assert sftp(box, "ann", "apple", f"put {letter} one", f"put -p {letter} two").returncode == 0
    assert sftp(box, "bob", "banana", f"put {letter} one").returncode == 0
    assert scp(box, "apple", letter, "ann@127.0.0.1:three").returncode == 0
    assert scp(box, "apple", "-O", "-p", letter, "ann@127.0.0.1:four").returncode == 0
    assert curl(box, "ann:apple", "/five", "-T", letter).returncode == 0
    with Paramiko(box, "ann", "apple") as client:
        assert client.put(str(letter), "six").st_size == 100000  # it looks whether all has come
    for name in ("one", "two", "three", "four", "five", "six"):
        dropped(name)
    dropped("one", "bob")
    assert sorted(p.name for p in box.folder.iterdir()) == ["ann", "bob"]
    assert [p.name for p in (box.folder / "bob").iterdir()] == ["one"]
    assert int((box.folder / "ann" / "two").stat().st_mtime) == int(letter.stat().st_mtime)


def test_drop_box_gives_nothing_back(box, letter, tmp_path):
    assert sftp(box, "ann", "apple", f"put {letter} one").returncode == 0
    got = sftp(box, "ann", "apple", f"get one {tmp_path}/got")
    assert got.returncode == 1 and "ermission denied" in got.stderr
    assert scp(box, "apple", "ann@127.0.0.1:one", tmp_path / "got").returncode == 1
    assert scp(box, "apple", "-O", "ann@127.0.0.1:one", tmp_path / "got").returncode == 1
    assert curl(box, "ann:apple", "/one", "-o", tmp_path / "got").returncode != 0
    assert not (tmp_path / "got").exists() or (tmp_path / "got").stat().st_size == 0
    assert "one" not in sftp(box, "ann", "apple", "ls").stdout.replace("sftp> ls", "")
    assert curl(box, "ann:apple", "/").stdout == ""
    with Paramiko(box, "ann", "apple") as client:
        assert client.listdir(".") == []
        for mode in ("r", "r+", "w+", "a+"):
            with pytest.raises(PermissionError):
                client.open("one", mode)


def test_drop_box_changes_nothing_that_is_there(box, letter, tmp_path):
    (tmp_path / "other").write_text("other")
    assert sftp(box, "ann", "apple", f"put {letter} one").returncode == 0
    for order in (f"put {tmp_path}/other one", f"reput {tmp_path}/other one", "rm one", "mkdir d",
                  "rename one two", "chmod 777 one", "ln one two", "ln -s one two", "rmdir ."):
        assert sftp(box, "ann", "apple", order).returncode == 1, order
    assert scp(box, "apple", tmp_path / "other", "ann@127.0.0.1:one").returncode == 1
    assert scp(box, "apple", "-O", tmp_path / "other", "ann@127.0.0.1:one").returncode == 1
    assert curl(box, "ann:apple", "/one", "-T", tmp_path / "other").returncode != 0
    assert curl(box, "ann:apple", "/one", "-a", "-T", tmp_path / "other").returncode != 0
    with Paramiko(box, "ann", "apple") as client:
        for change in (lambda: client.truncate("one", 0), lambda: client.utime("one", (0, 0)),
                       lambda: client.posix_rename("one", "two"), lambda: client.open("one", "a")):
            with pytest.raises(OSError):
                change()
    assert (box.folder / "ann" / "one").read_bytes() == letter.read_bytes()
    assert [p.name for p in (box.folder / "ann").iterdir()] == ["one"]


def test_drop_box_keeps_users_apart(box, letter):
    assert sftp(box, "bob", "banana", f"put {letter} one").returncode == 0
    for path in ("../bob/one", "/bob/one", f"{box.folder}/bob/one"):
        assert sftp(box, "ann", "apple", f"put {letter} {path}").returncode == 1, path
        with Paramiko(box, "ann", "apple") as client, pytest.raises(OSError):
            client.stat(path)
    assert list((box.folder / "ann").iterdir()) == []
    for who, password in (("ann", "banana"), ("bob", "apple"), ("eve", "apple"), ("ann", "x")):
        assert sftp(box, who, password, "pwd").returncode != 0
    assert run(["sshpass", "-p", "apple", "ssh", *SSH_OPTIONS, "-p", box.port, "ann@127.0.0.1",
                "cat one"], ok=False).returncode != 0


def test_drop_box_has_a_bottom(box, tmp_path):
    """16 MiB for each user, however often he comes."""
    (tmp_path / "large").write_bytes(bytes(10 << 20))
    assert sftp(box, "ann", "apple", f"put {tmp_path}/large one").returncode == 0
    assert sftp(box, "ann", "apple", f"put {tmp_path}/large two").returncode == 1
    with Paramiko(box, "ann", "apple") as client:
        with pytest.raises(OSError, match="No space left"):
            client.put(str(tmp_path / "large"), "three")
    assert sftp(box, "bob", "banana", f"put {tmp_path}/large one").returncode == 0


# ---- table_files


@pytest.fixture
def table(tmp_path):
    if not os.path.exists(built("examples", "table_files")):
        pytest.skip("it was not built: there is no SQLite")
    path = tmp_path / "notes.db"
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("CREATE TABLE notes (name TEXT PRIMARY KEY, content)")
    database.executemany("INSERT INTO notes VALUES (?, ?)", [
        ("hello.txt", "Hello, world\n"), ("grün", "ü"), ("empty", None), ("number", 42),
        ("large", os.urandom(1000000)), ("../up", "no"), ("/etc/passwd", "no"), ("", "no"),
        (".", "no"), ("..", "no"), (None, "no"), ("n" * 300, "no"),
    ])
    with Example("table_files", "-", str(path)) as server:
        server.database = database
        server.path = path
        yield server
    database.close()


NAMES = ["empty", "grün", "hello.txt", "large", "number"]


def test_table_files_lists_and_reads(table, tmp_path):
    large = table.database.execute("SELECT content FROM notes WHERE name = 'large'").fetchone()[0]
    done = run(["sftp", *SSH_OPTIONS, "-P", table.port, "-b", "-", "a@127.0.0.1"],
               f"ls -l\nget hello.txt {tmp_path}/hello\nget large {tmp_path}/large\n"
               f"get empty {tmp_path}/empty\nget number {tmp_path}/number\n")
    assert [line.split()[-1] for line in done.stdout.splitlines() if line[0] == "-"] == NAMES
    assert "-r--r--r--" in done.stdout and " 1000000 " in done.stdout
    assert (tmp_path / "hello").read_text() == "Hello, world\n"
    assert (tmp_path / "large").read_bytes() == large
    assert (tmp_path / "empty").read_bytes() == b""
    assert (tmp_path / "number").read_bytes() == b"42"
    for old in ([], ["-O"]):
        run(["scp", *SSH_OPTIONS, *old, "-P", table.port, "a@127.0.0.1:grün", tmp_path / "g"])
        assert (tmp_path / "g").read_text() == "ü"
    (tmp_path / "all").mkdir()
    run(["scp", *SSH_OPTIONS, "-O", "-P", table.port, "a@127.0.0.1:*", tmp_path / "all"])
    assert sorted(os.listdir(tmp_path / "all")) == NAMES
    assert curl(table, "a:x", "/hello.txt", "-r", "7-11").stdout == "world"
    with Paramiko(table, "a", None) as client:
        assert sorted(client.listdir(".")) == NAMES
        assert client.normalize(".") == "/"
        assert client.stat("large").st_size == 1000000
        with client.open("large") as file:
            file.prefetch()
            assert file.read() == large
            table.database.execute("UPDATE notes SET content = x'31' WHERE name = 'number'")
        assert client.open("number").read() == b"1"


def test_table_files_with_many_rows(table):
    """Two listings at the same time get all of them."""
    table.database.execute("BEGIN")
    table.database.executemany("INSERT INTO notes VALUES (?, 'x')",
                               [(f"row{i:04}",) for i in range(1000)])
    table.database.execute("COMMIT")

    async def both():
        async with asyncssh.connect("127.0.0.1", table.port, username="a", known_hosts=None,
                                    client_keys=None, config=None) as connection, \
                connection.start_sftp_client() as client:
            return await asyncio.gather(client.listdir("/"), client.listdir("/"))

    for names in asyncio.run(asyncio.wait_for(both(), PATIENCE * 3)):
        assert sorted(names) == NAMES + [f"row{i:04}" for i in range(1000)]


def test_table_files_refuses(table, tmp_path):
    before = table.database.execute("SELECT * FROM notes ORDER BY rowid").fetchall()
    with Paramiko(table, "a", None) as client:
        for name in ("none", "../up", "/etc/passwd", "passwd", "n" * 300, "' OR ''='",
                     "hello.txt/x"):
            with pytest.raises(FileNotFoundError):
                client.stat(name)
        for change in (lambda: client.open("hello.txt", "w"), lambda: client.open("new", "x"),
                       lambda: client.remove("hello.txt"), lambda: client.mkdir("d"),
                       lambda: client.rename("hello.txt", "x"), lambda: client.chmod("empty", 0),
                       lambda: client.truncate("large", 0)):
            with pytest.raises(OSError):
                change()
        with pytest.raises(OSError):
            client.open(".")  # a directory is no file, and the other way round
        with pytest.raises(OSError):
            client.listdir("hello.txt")
    (tmp_path / "x").write_text("x")
    assert run(["scp", *SSH_OPTIONS, "-O", "-P", table.port, tmp_path / "x", "a@127.0.0.1:x"],
               ok=False).returncode == 1
    assert table.database.execute("SELECT * FROM notes ORDER BY rowid").fetchall() == before


def test_table_files_waits_for_the_database_alone(table, tmp_path):
    """While one client waits for a lock of the database, another is served."""
    table.database.execute("BEGIN EXCLUSIVE")
    waiting = subprocess.Popen(
        ["sftp", *SSH_OPTIONS, "-P", str(table.port), "-b", "-", "a@127.0.0.1"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    waiting.stdin.write(f"get hello.txt {tmp_path}/hello\n")
    waiting.stdin.close()
    for _ in range(3):
        with Raw(table.port) as other:
            other.handshake()
            other.service()
            assert other.none("b")[0] == 52
    assert waiting.poll() is None
    table.database.execute("COMMIT")
    assert waiting.wait(PATIENCE) == 0, waiting.stdout.read()
    waiting.stdout.close()
    assert (tmp_path / "hello").read_text() == "Hello, world\n"


def test_table_files_without_a_database(tmp_path):
    if not os.path.exists(built("examples", "table_files")):
        pytest.skip("it was not built: there is no SQLite")
    done = run([built("examples", "table_files"), "0", "-", tmp_path / "none"], ok=False)
    assert done.returncode == 1 and "usage" in done.stderr
