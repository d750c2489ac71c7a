"""A directory of this machine over SFTP, with OpenSSH's sftp and AsyncSSH's client: transfers of all
sizes, trees, names, attributes, and that links lead nowhere outside."""

import asyncio
import filecmp
import os
import stat
import subprocess

import asyncssh
import pytest

from servers import PATIENCE
from test_sftp import start  # noqa: F401 - a fixture


@pytest.fixture
def root(tmp_path):
    path = tmp_path / "root"
    path.mkdir()
    return path


@pytest.fixture
def server(start, root):  # noqa: F811
    return start(root)


def sftp(server, commands, tmp_path, *more):
    """OpenSSH's client does the commands; its exit status, output and errors."""
    batch = tmp_path / "batch"
    batch.write_text("\n".join(commands) + "\n")
    return subprocess.run(
        ["sftp", "-q", "-b", str(batch), "-F", "none", "-o", "StrictHostKeyChecking=no",
         "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", "-P", str(server.port),
         *more, "user@127.0.0.1"],
        capture_output=True, text=True, timeout=PATIENCE * 3, check=False)


def good(server, commands, tmp_path, *more):
    result = sftp(server, commands, tmp_path, *more)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def bad(server, command, tmp_path):
    result = sftp(server, [command], tmp_path)
    assert result.returncode != 0, result.stdout
    return result.stdout + result.stderr


def with_asyncssh(server, function):
    async def run():
        async with asyncssh.connect("127.0.0.1", server.port, username="user", known_hosts=None,
                                    client_keys=None, config=None) as connection:
            async with connection.start_sftp_client() as client:
                return await function(client)

    return asyncio.run(asyncio.wait_for(run(), PATIENCE * 3))


SIZES = [0, 1, 32767, 32768, 32769, 261120, 1 << 20, (8 << 20) + 12345]


@pytest.mark.parametrize("more", [(), ("-B", "1000", "-R", "3")], ids=["usual", "small"])
def test_every_size_there_and_back(server, root, tmp_path, more):
    sizes = SIZES if not more else SIZES[:6]
    for size in sizes:
        (tmp_path / f"in{size}").write_bytes(os.urandom(size))
    commands = [f"put {tmp_path}/in{size} f{size}" for size in sizes]
    commands += [f"get f{size} {tmp_path}/out{size}" for size in sizes]
    good(server, commands, tmp_path, *more)
    for size in sizes:
        assert filecmp.cmp(tmp_path / f"in{size}", root / f"f{size}", shallow=False)
        assert filecmp.cmp(tmp_path / f"in{size}", tmp_path / f"out{size}", shallow=False)


def test_a_tree_there_and_back(server, root, tmp_path):
    tree = tmp_path / "tree"
    for number in range(150):
        folder = tree / f"d{number % 7}" / f"e{number % 3}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"file {number} \u00e4").write_text(f"text {number}\n" * number)
    (tree / "d1" / "run").write_text("#!/bin/sh\n")
    (tree / "d1" / "run").chmod(0o750)
    good(server, [f"put -pR {tree} there", f"get -pR there {tmp_path}/back"], tmp_path)
    subprocess.run(["diff", "-r", str(tree), str(root / "there")], check=True)
    subprocess.run(["diff", "-r", str(tree), str(tmp_path / "back")], check=True)
    for copy in (root / "there", tmp_path / "back"):
        assert stat.S_IMODE((copy / "d1" / "run").stat().st_mode) == 0o750
        assert int((copy / "d1" / "run").stat().st_mtime) == int(
            (tree / "d1" / "run").stat().st_mtime)


def test_resumed(server, root, tmp_path):
    whole = os.urandom(500_000)
    (root / "f").write_bytes(whole)
    (tmp_path / "part").write_bytes(whole[:123_456])
    good(server, [f"reget f {tmp_path}/part"], tmp_path)
    assert (tmp_path / "part").read_bytes() == whole
    (root / "g").write_bytes(whole[:200_001])
    good(server, [f"reput {tmp_path}/part g"], tmp_path)
    assert (root / "g").read_bytes() == whole


def test_names_and_attributes(server, root, tmp_path):
    (root / "f").write_text("text")
    out = good(server, ["mkdir d", "rename f d/g", "ln d/g h", "ln -s d/g l", "chmod 0640 h",
                        "cd d", "pwd", "ls -l", "df /", "cp g copied", "rm /l"], tmp_path)
    assert "/d" in out and " g" in out
    assert (root / "h").samefile(root / "d" / "g")
    assert (root / "d" / "copied").read_text() == "text"
    assert stat.S_IMODE((root / "h").stat().st_mode) == 0o640
    assert not (root / "l").is_symlink()
    assert "No such file" in bad(server, "rm none", tmp_path)
    assert "Failure" in bad(server, "rmdir d", tmp_path)
    assert "Failure" in bad(server, "mkdir d", tmp_path)


def test_links_stay_inside(server, root, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("secret")
    (root / "abs").symlink_to(secret)
    (root / "rel").symlink_to("../secret")
    (root / "dir").symlink_to("..")
    for path in ("abs", "rel", "dir/secret", "../secret", str(secret), "dir/../../secret"):
        bad(server, f"get {path} {tmp_path}/got", tmp_path)
        assert not (tmp_path / "got").exists()
    (tmp_path / "new").write_text("new")
    sftp(server, [f"-put {tmp_path}/new rel", f"-put {tmp_path}/new ../secret", "-rm ../secret",
                  f"-put {tmp_path}/new dir/other", "-rename rel ../moved"], tmp_path)
    assert secret.read_text() == "secret"
    assert not (tmp_path / "other").exists() and not (tmp_path / "moved").exists()
    out = good(server, ["cd dir", "pwd", "ls -1"], tmp_path)
    assert "working directory: /\n" in out and "root" not in out.split()


def test_words_of_failures(server, root):
    (root / "full").mkdir()
    (root / "full" / "f").write_text("x")
    os.mkfifo(root / "fifo")

    async def run(client):
        async def said(what):
            with pytest.raises(asyncssh.SFTPError) as error:
                await what
            return error.value.code, error.value.reason

        assert await said(client.open("none")) == (asyncssh.FX_NO_SUCH_FILE, "No such file")
        assert (await said(client.open("fifo")))[1] == "Not a regular file"
        assert (await said(client.open("full")))[1] == "Is a directory"
        assert (await said(client.mkdir("full")))[1] == "File exists"
        assert (await said(client.rmdir("full")))[1] == "Directory not empty"
        assert (await said(client.rename("fifo", "full")))[1] == "File exists"
        assert (await client.statvfs("/")).bsize > 0
        async with client.open("f", "w") as file:
            await file.write("text")
            await file.fsync()
            await file.setstat(asyncssh.SFTPAttrs(permissions=0o600))
        async with client.open("f", "a") as file:
            await file.write(" more")
        assert (root / "f").read_text() == "text more"
        assert await client.realpath("full/../f") == "/f"

    with_asyncssh(server, run)


def test_a_directory_that_is_read_only(start, root, tmp_path):  # noqa: F811
    (root / "f").write_text("text")
    (tmp_path / "new").write_text("new")
    server = start(root, "read-only")
    good(server, [f"get f {tmp_path}/f", "ls -l"], tmp_path)
    for command in (f"put {tmp_path}/new f", "rm f", "mkdir d", "chmod 600 f", "ln -s x y"):
        assert "Permission denied" in bad(server, command, tmp_path)
    assert [p.name for p in root.iterdir()] == ["f"] and (root / "f").read_text() == "text"


def test_many_files_in_one_directory(server, root, tmp_path):
    for number in range(3000):
        (root / f"n{number}").touch()
    out = good(server, ["ls -1"], tmp_path)
    assert len([line for line in out.split("\n") if line.startswith("n")]) == 3000
