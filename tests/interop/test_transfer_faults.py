"""What can't be done over SFTP and scp: no room, no permission, nothing there, something there. Each
has its status and its words, exactly; and the files are as they were: nothing is half renamed, half
made or half removed. Then some hundred ways out of the root, of which none leads out."""

import os
import shutil
import stat
import subprocess
import tempfile
import threading
from pathlib import Path

import pytest

from servers import PATIENCE, built
from transfer_clients import SSH_OPTIONS, TransferServer, asyncssh, run, with_asyncssh

ROOT = os.geteuid() == 0
NO_FILE = (2, "No such file")
DENIED = (3, "Permission denied")
BAD = (5, "Bad message")
EXISTS = (4, "File exists")
FULL = (4, "No space left on device")


@pytest.fixture
def root():
    """Below /tmp, where others may look, too."""
    path = Path(tempfile.mkdtemp(prefix="transfer_"))
    path.chmod(0o755)
    (path / "root").mkdir()
    yield path / "root"
    shutil.rmtree(path)


@pytest.fixture
def start():
    running = []

    def start_one(*arguments, **more):
        running.append(TransferServer(*arguments, **more))
        return running[-1]

    yield start_one
    for server in running:
        server.close()


def with_client(server, work):
    return with_asyncssh(server.port, work)


async def said(what):
    """The status and the words that it fails with; None: it does not."""
    try:
        result = await what
    except asyncssh.SFTPError as error:
        return error.code, error.reason
    if hasattr(result, "close"):
        await result.close()
    return None


def snapshot(folder):
    """All that is there: names, types, modes, links' texts, contents, numbers of inodes."""
    found = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        content = os.readlink(path) if path.is_symlink() else \
            path.read_bytes() if stat.S_ISREG(status.st_mode) else None
        found[str(path.relative_to(folder))] = (status.st_mode, status.st_ino, status.st_nlink,
                                                content)
    return found


def expect(server, root, attempts):
    """Each attempt (a function of the client) fails as it shall, and changes nothing."""
    async def work(client):
        for name, attempt, wanted in attempts:
            before = snapshot(root)
            assert (name, await said(attempt(client))) == (name, wanted)
            assert snapshot(root) == before, name

    with_client(server, work)


def scp(server, *arguments):
    """OpenSSH's, with the old protocol; "@PATH" is the server's."""
    where = [f"user@127.0.0.1:{a[1:]}" if a[0] == "@" else a for a in map(str, arguments)]
    return run(["scp", "-O", *SSH_OPTIONS, "-P", server.port, *where], ok=False)


def expect_scp(server, root, attempts):
    """The same for scp."""
    before = snapshot(root)
    for words, *arguments in attempts:
        done = scp(server, *arguments)
        assert done.returncode == 1 and words in done.stderr, (words, done)
        assert snapshot(root) == before, words


# ---- no room


@pytest.fixture(params=["tmpfs", "ext4", "quota"])
def full(request, root, start):
    """A server whose files may take about a mebibyte; "tmpfs_nodes": that may have few names."""
    kind = request.param
    if kind == "quota":
        yield start(root, "quota=1000000"), kind
        return
    if not ROOT:
        pytest.skip("mounting needs root")
    if kind == "ext4":
        image = root.parent / "image"
        with open(image, "wb") as file:
            file.truncate(2 << 20)
        made = run(["mkfs.ext4", "-q", "-F", "-m", "0", "-O", "^has_journal", image], ok=False) \
            if shutil.which("mkfs.ext4") else None
        words = ["mount", "-o", "loop", image, root]
        if made is None or made.returncode != 0:
            pytest.skip("no mkfs.ext4")
    else:
        size = "size=1m" + (",nr_inodes=6" if kind == "tmpfs_nodes" else "")
        words = ["mount", "-t", "tmpfs", "-o", size, "none", root]
    done = run(words, ok=False)
    if done.returncode != 0:
        pytest.skip("can't mount here: " + done.stderr.strip())
    try:
        server = start(root)
        yield server, kind
        server.process.terminate()
        server.process.wait(PATIENCE)
    finally:
        run(["umount", root])


def test_a_full_disk(full, root, tmp_path):
    server, kind = full
    (tmp_path / "large").write_bytes(os.urandom(4 << 20))
    (tmp_path / "small").write_bytes(b"small")

    async def work(client):
        async with client.open("kept", "wb") as file:
            await file.write(b"kept")
        async with client.open("f", "wb") as file:
            assert await said(file.write(bytes(4 << 20))) == FULL
        if kind == "quota":
            async with client.open("f", "r+b") as file:
                assert await said(file.truncate(10 << 20)) == FULL
        # What needs no room still works, and is done whole.
        await client.posix_rename("f", "kept2")
        await client.posix_rename("kept2", "f")
        if kind != "quota":
            filled = await client.open("f", "ab")
            while await said(filled.write(bytes(4096))) is None:
                pass
            assert await said(filled.close()) is None
            names = [f"d{i}" for i in range(2000)]
            results = [await said(client.mkdir(name)) for name in names] if kind == "ext4" else []
            assert set(results) <= {None, FULL} and (kind != "ext4" or FULL in results)
            for name, result in zip(names, results):
                assert (root / name).exists() == (result is None)
            assert await said(client.copy("f", "copy")) in (FULL, None)

    with_client(server, work)
    assert (root / "kept").read_bytes() == b"kept"
    # The clients say so, and so does the log: not whole.
    mark = server.mark()
    done = scp(server, tmp_path / "large", "@g")
    assert done.returncode == 1 and "No space left on device" in done.stderr, done
    event = server.wait("transfer", start=mark, by="scp")
    assert not event["whole"] and not event["by_client"]
    done = run(["sftp", *SSH_OPTIONS, "-q", "-P", server.port, "-b", "-", "user@127.0.0.1"],
               f"put {tmp_path}/large h\n", ok=False)
    assert done.returncode == 1 and "Failure" in done.stderr, done
    assert {"kept", "f"} <= {path.name for path in root.iterdir()}
    if kind == "quota":
        return  # removing gives nothing back
    for path in root.iterdir():
        if path.name != "lost+found" and path.name != "kept":
            (shutil.rmtree if path.is_dir() else os.unlink)(path)
    assert scp(server, tmp_path / "small", "@g").returncode == 0
    assert (root / "g").read_bytes() == b"small"


@pytest.mark.parametrize("full", ["tmpfs_nodes"], indirect=True)
def test_no_more_names(full, root, tmp_path):
    server, _ = full
    for i in range(5):
        (root / f"f{i}").write_text("text")
    (tmp_path / "f").write_text("text")
    expect(server, root, [
        ("mkdir", lambda c: c.mkdir("d"), FULL),
        ("open", lambda c: c.open("g", "w"), FULL),
        ("symlink", lambda c: c.symlink("x", "l"), FULL),
    ])
    done = scp(server, tmp_path / "f", "@g")
    assert done.returncode == 1 and "scp: g: No space left on device" in done.stderr
    assert not (root / "g").exists()


# ---- no permission


@pytest.fixture
def as_nobody(root, start):
    """A server without rights, on files that are somebody else's."""
    if not ROOT or not shutil.which("setpriv"):
        pytest.skip("needs root and setpriv")
    words = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    if subprocess.run([*words, "test", "-x", built("tools", "transfer_server")],
                      check=False).returncode != 0:
        pytest.skip("the build folder is not for everybody")
    (root / "own").mkdir()
    os.chown(root / "own", 65534, 65534)
    (root / "own" / "f").write_text("own")
    os.chown(root / "own" / "f", 65534, 65534)
    (root / "closed").mkdir(mode=0o700)
    (root / "closed" / "f").write_text("closed")
    (root / "secret").write_text("secret")
    (root / "secret").chmod(0o600)
    (root / "shown").write_text("shown")
    (root / "folder").mkdir()
    (root / "folder" / "f").write_text("text")
    return start(root, before=words)


def test_no_permission(as_nobody, root, tmp_path):
    attrs = asyncssh.SFTPAttrs
    expect(as_nobody, root, [
        ("read", lambda c: c.open("secret"), DENIED),
        ("write", lambda c: c.open("shown", "r+"), DENIED),
        ("truncate", lambda c: c.open("shown", "w"), DENIED),
        ("create", lambda c: c.open("new", "w"), DENIED),
        ("create in", lambda c: c.open("closed/new", "w"), DENIED),
        ("stat in", lambda c: c.stat("closed/f"), DENIED),
        ("list", lambda c: c.listdir("closed"), DENIED),
        ("remove", lambda c: c.remove("shown"), DENIED),
        ("mkdir", lambda c: c.mkdir("new"), DENIED),
        ("rmdir", lambda c: c.rmdir("own"), DENIED),
        ("rename from", lambda c: c.rename("shown", "own/x"), DENIED),
        ("rename to", lambda c: c.rename("own/f", "x"), DENIED),
        ("posix_rename from", lambda c: c.posix_rename("shown", "own/x"), DENIED),
        ("posix_rename over", lambda c: c.posix_rename("own/f", "shown"), DENIED),
        ("rename in", lambda c: c.posix_rename("folder/f", "folder/g"), DENIED),
        ("symlink", lambda c: c.symlink("own", "link"), DENIED),
        ("link to", lambda c: c.link("own/f", "link"), DENIED),
        ("chmod", lambda c: c.chmod("shown", 0o777), DENIED),
        ("chown", lambda c: c.chown("own/f", 0, 0), DENIED),
        ("utime", lambda c: c.utime("shown", (1, 2)), DENIED),
        ("size", lambda c: c.setstat("shown", attrs(size=0)), DENIED),
    ])
    (tmp_path / "f").write_text("text")
    expect_scp(as_nobody, root, [
        ("scp: secret: Permission denied", "@secret", tmp_path / "x"),
        ("scp: closed/f: Permission denied", "@closed/f", tmp_path / "x"),
        ("scp: shown: Permission denied", tmp_path / "f", "@shown"),
        ("scp: folder/f: Permission denied", tmp_path / "f", "@folder"),
        ("scp: new: Permission denied", "-r", tmp_path, "@new"),
    ])
    assert not (tmp_path / "x").exists()


# ---- nothing there, something there


def test_nothing_there(root, start, tmp_path):
    (root / "f").write_text("text")
    (root / "dangling").symlink_to("nowhere")
    (root / "loop").symlink_to("loop")
    attrs = asyncssh.SFTPAttrs
    attempts = [("readlink", lambda c: c.readlink("none"), NO_FILE),
                ("readlink of a file", lambda c: c.readlink("f"), BAD)]
    for where in ("none", "no/such", "f/x", "dangling/x", "loop/x", "loop"):
        attempts += [
            (f"open {where}", lambda c, w=where: c.open(w), NO_FILE),
            (f"stat {where}", lambda c, w=where: c.stat(w), NO_FILE),
            (f"list {where}", lambda c, w=where: c.listdir(w), NO_FILE),
            (f"setstat {where}", lambda c, w=where: c.setstat(w, attrs(permissions=0)), NO_FILE),
            (f"size {where}", lambda c, w=where: c.setstat(w, attrs(size=0)), NO_FILE),
        ]
    for where in ("no/such", "f/x", "dangling/x", "loop/x"):
        attempts += [
            (f"create {where}", lambda c, w=where: c.open(w, "w"), NO_FILE),
            (f"mkdir {where}", lambda c, w=where: c.mkdir(w), NO_FILE),
            (f"remove {where}", lambda c, w=where: c.remove(w), NO_FILE),
            (f"rmdir {where}", lambda c, w=where: c.rmdir(w), NO_FILE),
            (f"rename {where}", lambda c, w=where: c.rename(w, "x"), NO_FILE),
            (f"rename to {where}", lambda c, w=where: c.rename("f", w), NO_FILE),
            (f"posix_rename to {where}", lambda c, w=where: c.posix_rename("f", w), NO_FILE),
            (f"link {where}", lambda c, w=where: c.link(w, "x"), NO_FILE),
            (f"link to {where}", lambda c, w=where: c.link("f", w), NO_FILE),
            (f"symlink {where}", lambda c, w=where: c.symlink("f", w), NO_FILE),
        ]
    server = start(root)
    expect(server, root, attempts)
    (tmp_path / "f").write_text("text")
    expect_scp(server, root, [
        ("scp: none: No such file or directory", "@none", tmp_path / "x"),
        ("scp: no/such: No such file or directory", tmp_path / "f", "@no/such"),
        ("scp: no/such: No such file or directory", "-r", tmp_path, "@no/such"),
        ("scp: f/x: No such file or directory", tmp_path / "f", "@f/x"),
    ])


def test_something_there(root, start):
    """Renamed and linked over what exists: both ways of renaming, each pair of types."""
    (root / "f").write_text("f")
    (root / "g").write_text("g")
    (root / "d").mkdir()
    (root / "d" / "x").write_text("x")
    (root / "e").mkdir()
    (root / "link").symlink_to("g")
    not_empty = (4, "Directory not empty")
    is_directory = (4, "Is a directory")
    attempts = []
    for a in ("f", "d", "link"):
        for b in ("g", "e", "d/x", "link"):
            if a != b and not (a == "d" and b == "d/x"):
                attempts.append((f"rename {a} {b}", lambda c, a=a, b=b: c.rename(a, b), EXISTS))
    expect(start(root), root, attempts + [
        ("rename itself", lambda c: c.rename("f", "f"), EXISTS),
        ("into itself", lambda c: c.rename("d", "d/y"), BAD),
        ("posix into itself", lambda c: c.posix_rename("d", "d/y"), BAD),
        ("posix file over folder", lambda c: c.posix_rename("f", "e"), is_directory),
        ("posix folder over file", lambda c: c.posix_rename("d", "f"), NO_FILE),
        ("posix over a full folder", lambda c: c.posix_rename("e", "d"), not_empty),
        ("posix onto itself", lambda c: c.posix_rename("f", "f"), None),
        ("mkdir", lambda c: c.mkdir("f"), EXISTS),
        ("mkdir on a link", lambda c: c.mkdir("link"), EXISTS),
        ("symlink", lambda c: c.symlink("x", "f"), EXISTS),
        ("link", lambda c: c.link("f", "g"), EXISTS),
        ("link of a folder", lambda c: c.link("d", "dd"), DENIED),
        ("create anew", lambda c: c.open("f", "x"), EXISTS),
        ("create anew on a link", lambda c: c.open("link", "x"), EXISTS),
        ("open a folder", lambda c: c.open("d"), is_directory),
        ("remove a folder", lambda c: c.remove("d"), is_directory),
        ("rmdir a file", lambda c: c.rmdir("f"), NO_FILE),
        ("rmdir a link", lambda c: c.rmdir("link"), NO_FILE),
        ("rmdir a full folder", lambda c: c.rmdir("d"), not_empty),
        ("long name", lambda c: c.mkdir("n" * 256), BAD),
        ("long path", lambda c: c.stat("d/" * 3000), BAD),
    ])

    async def works(client):
        await client.posix_rename("f", "g")
        assert not (root / "f").exists() and (root / "g").read_text() == "f"
        await client.posix_rename("d", "e")
        assert (root / "e" / "x").read_text() == "x" and not (root / "d").exists()
        await client.posix_rename("g", "link")  # the link itself goes
        assert not (root / "link").is_symlink() and (root / "link").read_text() == "f"
        await client.link("link", "hard")
        await client.symlink("hard", "soft")
        assert await client.readlink("soft") == "hard"
        assert (await client.lstat("soft")).size == 4 and (await client.stat("soft")).size == 1
        await client.chmod("soft", 0o604)
        assert stat.S_IMODE((root / "link").stat().st_mode) == 0o604
        await client.remove("soft")
        assert (root / "hard").stat().st_nlink == 2

    with_client(start(root), works)


def test_another_file_system(root, start):
    if not ROOT:
        pytest.skip("mounting needs root")
    (root / "m").mkdir()
    done = run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", root / "m"], ok=False)
    if done.returncode != 0:
        pytest.skip("can't mount here: " + done.stderr.strip())
    try:
        (root / "f").write_text("f")
        (root / "m" / "g").write_text("g")
        (root / "d").mkdir()
        server = start(root)
        other = (4, "Not on the same file system")
        expect(server, root, [
            (f"{call} {a} {b}", lambda c, call=call, a=a, b=b: getattr(c, call)(a, b), other)
            for call in ("rename", "posix_rename") for a, b in (("f", "m/f"), ("m/g", "g"),
                                                                ("d", "m/d"), ("f", "m/g"))
            if not (call == "rename" and b == "m/g")
        ] + [("link", lambda c: c.link("f", "m/f"), other)])
        run(["mount", "-o", "remount,ro", root / "m"])
        read_only = (4, "Read-only file system")
        expect(server, root, [
            ("create", lambda c: c.open("m/new", "w"), read_only),
            ("write", lambda c: c.open("m/g", "r+"), read_only),
            ("mkdir", lambda c: c.mkdir("m/new"), read_only),
            ("remove", lambda c: c.remove("m/g"), read_only),
            ("rename", lambda c: c.rename("m/g", "m/h"), read_only),
            ("chmod", lambda c: c.chmod("m/g", 0), read_only),
        ])
    finally:
        run(["umount", root / "m"])


# ---- ways out


OUTSIDE = [
    "../secret", "../../secret", "/../secret", "/../../../../../../secret", "d/../../secret",
    "./.././secret", "..//secret", "//..//secret", "d/../d/../../secret", "../root/../secret",
    "up/secret", "absolute", "relative", "folder/secret", "chain", "d/up/../../secret",
    "d/up/secret", "up/../secret", "proc/self/root/{base}/secret", "/proc/self/root{base}/secret",
    "/proc/self/cwd/secret", "/proc/1/root{base}/secret", "proc/self/cwd/secret", "fdlink/secret",
    "{base}/secret", "/{base}/secret", "..\\secret", "%2e%2e/secret", "..%2fsecret", "..\xc0\xafsecret",
    "\udcff\udcfe/../../secret", "d/\udcff/../../secret", "../secret/", "../secret/.", "up/./secret",
    "up//secret", "absolute/../secret", "a" * 255 + "/../../secret", "../" * 1000 + "secret",
    "x/" * 2000 + "../" * 2010 + "secret", "...//secret", ".../secret", "~/../secret",
    "~root/../secret", "relative/", "chain/.",
]


def test_ways_out(root, start):
    """Each path, with each operation; the secret is neither read nor changed."""
    base = root.parent
    secret = base / "secret"
    secret.write_text("the secret")
    outside = {path.name for path in base.iterdir()}
    before = secret.stat()
    (root / "d").mkdir()
    (root / "up").symlink_to("..")
    (root / "d" / "up").symlink_to("../..")
    (root / "absolute").symlink_to(secret)
    (root / "relative").symlink_to("../secret")
    (root / "folder").symlink_to(base)
    (root / "chain").symlink_to("up/../relative")
    (root / "proc").symlink_to("/proc")
    (root / "fdlink").symlink_to("/proc/self/cwd")
    (root / "mine").write_text("mine")
    count = 0

    async def work(client):
        nonlocal count
        for form in OUTSIDE:
            path = form.replace("{base}", str(base)).encode("utf-8", "surrogateescape")

            async def read(path=path):
                async with client.open(path, "rb") as file:
                    content = await file.read()
                    assert b"secret" not in content, path

            async def write(mode, path=path):
                async with client.open(path, mode) as file:
                    await file.write(b"gone")

            for attempt in (
                    read(), write("r+b"), write("wb"), write("ab"), write("xb"),
                    client.setstat(path, asyncssh.SFTPAttrs(size=0)), client.chmod(path, 0o777),
                    client.utime(path, (1, 1)), client.rename(path, b"stolen"),
                    client.posix_rename(b"mine", path), client.link(path, b"linked"),
                    client.mkdir(path), client.rmdir(path), client.remove(path)):
                try:
                    await attempt
                except asyncssh.SFTPError:
                    pass
                count += 1
            for name in (b"stolen", b"linked"):
                try:
                    async with client.open(name, "rb") as file:
                        assert b"secret" not in await file.read()
                except asyncssh.SFTPError:
                    pass
            if not (root / "mine").exists():
                (root / "mine").write_text("mine")
            try:
                attrs = await client.stat(path)
                assert attrs.size != len("the secret"), path
            except asyncssh.SFTPError:
                pass
            names = [entry.filename for entry in await client.readdir("/")]
            assert "secret" not in names or (root / "secret").exists()

    with_client(start(root), work)
    print(f"{count} attempts, {len(OUTSIDE)} paths")
    assert count >= 30
    after = secret.stat()
    assert secret.read_text() == "the secret"
    assert (before.st_ino, before.st_mode, before.st_mtime_ns) == \
        (after.st_ino, after.st_mode, after.st_mtime_ns)
    assert {path.name for path in base.iterdir()} == outside


def test_a_race_for_a_link(root, start):
    """A folder that is swapped for a link out of the root, again and again, under the client."""
    base = root.parent
    (base / "out").mkdir()
    (base / "out" / "f").write_text("the secret")
    (root / "real").mkdir()
    (root / "real" / "f").write_text("inside")
    (root / "link").symlink_to("../out")
    os.rename(root / "real", root / "d")
    stop = threading.Event()

    def swap():
        while not stop.is_set():
            os.rename(root / "d", root / "real")
            os.rename(root / "link", root / "d")
            os.rename(root / "d", root / "link")
            os.rename(root / "real", root / "d")

    thread = threading.Thread(target=swap)
    thread.start()
    results = {"inside": 0, "nothing": 0}

    async def work(client):
        for number in range(400):
            try:
                if number % 4 == 3:
                    async with client.open(f"d/n{number}", "w") as file:
                        await file.write("new")
                else:
                    async with client.open("d/f") as file:
                        assert await file.read() == "inside"
                results["inside"] += 1
            except asyncssh.SFTPError:
                results["nothing"] += 1

    try:
        with_client(start(root), work)
    finally:
        stop.set()
        thread.join()
    print(results)
    assert [path.name for path in (base / "out").iterdir()] == ["f"]
    assert (base / "out" / "f").read_text() == "the secret"
