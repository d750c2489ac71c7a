"""Every client that moves files, in both directions: files of telling sizes and a folder with many,
with checksums, times and modes; resumed transfers; names. SALLYPORT_HEAVY=1 (tests/run --heavy):
1 GiB and 10,000 files in place of 8 MiB and 300."""

import hashlib
import os
import shutil
import stat

import pytest

import transfer_clients
from test_sftp import digest
from transfer_clients import ALL, Failed, ident, run

HEAVY = os.environ.get("SALLYPORT_HEAVY") == "1"
LARGE = (1 << 30 if HEAVY else 8 << 20) + 12345
SMALL = 10000 if HEAVY else 300
SIZES = (0, 1, 32767, LARGE)
MODES = (0o640, 0o755, 0o600, 0o644)
TIME = 1_000_000_000


@pytest.fixture(scope="session")
def sources(tmp_path_factory):
    """A file of each size, each with a time and a mode of its own, and its SHA-256."""
    folder = tmp_path_factory.mktemp("sources")
    found = {}
    for number, size in enumerate(SIZES):
        path = folder / f"f{size}"
        value = hashlib.sha256()
        with open(path, "wb") as file:
            for start in range(0, size, 1 << 20):
                piece = os.urandom(min(1 << 20, size - start))
                value.update(piece)
                file.write(piece)
        os.chmod(path, MODES[number])
        os.utime(path, (TIME + number, TIME + 1000 + number))
        found[path] = value.hexdigest()
    yield found
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def many(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sources") / "many"
    folder.mkdir()
    for number in range(SMALL):
        path = folder / f"n{number}"
        path.write_bytes(b"%d\n" % number * (number % 50 + 1))
        os.chmod(path, MODES[number % 4])
        os.utime(path, (TIME, TIME + number))
    return folder


@pytest.fixture(params=ALL, ids=ident)
def client(request, keys, tmp_path):
    if request.param.lacks():
        pytest.skip(request.param.lacks())
    root, home = tmp_path / "root", tmp_path / "home"
    root.mkdir()
    home.mkdir()
    started = request.param(keys, root, home)
    why = getattr(started, "why", None)
    if why is None:
        yield started
    started.close()
    shutil.rmtree(root, ignore_errors=True)
    if why is not None:
        pytest.skip("FUSE can't be used here: " + why)


def kept(path, keeps):
    """What of a file's attributes a client is said to carry."""
    status = os.stat(path)
    values = {"mtime": int(status.st_mtime), "mode": stat.S_IMODE(status.st_mode)}
    return {name: values[name] for name in sorted(keeps)}


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_files(client, sources, tmp_path):
    files = [path for path in sources if path.stat().st_size > 0 or client.sends_empty]
    client.send([(path, path.name) for path in files])
    for path in files:
        assert digest(client.root / path.name) == sources[path], path.name
        assert kept(client.root / path.name, client.keeps_up) == kept(path, client.keeps_up)
    for path in files:  # what the client has not carried is put right for the way back
        shutil.copystat(path, client.root / path.name)
    back = tmp_path / "back"
    back.mkdir()
    client.fetch([(path.name, back / path.name) for path in files])
    for path in files:
        assert digest(back / path.name) == sources[path], path.name
        assert kept(back / path.name, client.keeps_down) == kept(path, client.keeps_down)
    shutil.rmtree(back)


def test_many_files(client, many, tmp_path):
    client.send_folder(many, "many")
    assert contents(client.root / "many") == contents(many)
    for path in many.iterdir():
        there = client.root / "many" / path.name
        assert kept(there, client.keeps_up) == kept(path, client.keeps_up), path.name
        shutil.copystat(path, there)
    back = tmp_path / "back"
    client.fetch_folder("many", back)
    assert contents(back) == contents(many)
    for path in many.iterdir():
        there = back / path.name
        assert kept(there, client.keeps_down) == kept(path, client.keeps_down), path.name
    shutil.rmtree(back)


@pytest.mark.parametrize("client", [kind for kind in ALL if kind.resumes], ids=ident, indirect=True)
def test_resumed(client, tmp_path):
    """What is there stays as it is; only the rest is carried, both ways."""
    whole = os.urandom(500_000)
    local, back = tmp_path / "whole", tmp_path / "back"
    local.write_bytes(whole)
    (client.root / "f").write_bytes(whole[:200_001])
    back.write_bytes(whole[:123_456])
    client.resume(local, "f", back)
    assert (client.root / "f").read_bytes() == whole
    assert back.read_bytes() == whole
    if client.name == "rsync":
        return
    client.server.wait("transfer", written=len(whole) - 200_001)
    page = 4096  # a mounted folder is read by pages
    client.server.out.wait(lambda e: 0 <= e.get("read", 0) - (len(whole) - 123_456) < page)


def test_a_shorter_file_replaces_a_longer_one(client, tmp_path):
    (client.root / "f").write_bytes(b"x" * 100_000)
    (tmp_path / "short").write_bytes(b"y" * 10)
    client.send([(tmp_path / "short", "f")])
    assert (client.root / "f").read_bytes() == b"y" * 10
    (tmp_path / "long").write_bytes(b"x" * 100_000)
    client.fetch([("f", tmp_path / "long")])
    assert (tmp_path / "long").read_bytes() == b"y" * 10


def test_what_is_not_there(client, tmp_path):
    (tmp_path / "f").write_bytes(b"text")
    for work in (lambda: client.fetch([("none", tmp_path / "back")]),
                 lambda: client.send([(tmp_path / "f", "no/such/folder/f")])):
        with pytest.raises((Failed, OSError, transfer_clients.asyncssh.SFTPError)):
            work()
    assert list(client.root.iterdir()) == []
    assert not (tmp_path / "back").exists() or (tmp_path / "back").stat().st_size == 0


@pytest.mark.parametrize("client", [transfer_clients.Sshfs], ids=ident, indirect=True)
def test_a_tree_that_is_mounted(client, tmp_path):
    """As programs do it: a tree unpacked there, compared, and random reads and writes checked."""
    folders, files = (100, 50) if HEAVY else (10, 10)
    tree = tmp_path / "tree"
    for folder in range(folders):
        (tree / f"d{folder % 10}" / f"e{folder}").mkdir(parents=True)
        for file in range(files):
            path = tree / f"d{folder % 10}" / f"e{folder}" / f"f{file}.c"
            path.write_bytes(b"int x%d;\n" % file * (folder * file % 400))
    run(["tar", "-cf", tmp_path / "tree.tar", "-C", tree, "."])
    (client.point / "tree").mkdir()
    run(["tar", "-xf", tmp_path / "tree.tar", "-C", client.point / "tree"])
    run(["diff", "-r", tree, client.point / "tree"])
    run(["diff", "-r", tree, client.root / "tree"])
    if shutil.which("fio"):
        run(["fio", "--name=check", f"--directory={client.point}", "--rw=randrw",
             f"--size={'256m' if HEAVY else '4m'}", "--bsrange=512-128k", "--verify=sha256",
             "--do_verify=1", "--end_fsync=1", "--randseed=1"])
    run(["rm", "-r", client.point / "tree"])
    assert not (client.root / "tree").exists()
