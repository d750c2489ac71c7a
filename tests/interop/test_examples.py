"""Each example does what it says."""

import asyncio
import os
import re
import subprocess

import pytest

from clients import OpenSSH
from clients import Kbdint, Nothing, Password
from rawssh import MODERN, Raw, failure
from servers import PATIENCE, Example, built

NAMES = sorted(
    name[:-2]
    for name in os.listdir(os.path.join(os.path.dirname(__file__), "..", "..", "examples"))
    if name.endswith(".c")
)


@pytest.fixture(scope="module")
def openssh(tmp_path_factory, keys):
    return OpenSSH(tmp_path_factory.mktemp("openssh"), keys)


@pytest.mark.parametrize("name", NAMES)
def test_example_starts_and_stops(name, tmp_path):
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "key")],
                   check=True)
    key = str(tmp_path / "key.pub")
    more = {"bastion": ["-", key], "git_server": ["-", str(tmp_path), key],
            "drop_box": ["-", str(tmp_path)], "table_files": ["-", str(tmp_path / "empty")]}
    (tmp_path / "empty").touch()
    if name == "table_files" and not os.path.exists(built("examples", name)):
        pytest.skip("it was not built: there is no SQLite")
    with Example(name, *more.get(name, [])) as server, Raw(server.port, cipher=MODERN) as raw:
        raw.handshake()


@pytest.mark.parametrize("name", NAMES)
def test_example_is_short(name):
    path = os.path.join(os.path.dirname(__file__), "..", "..", "examples", name + ".c")
    with open(path, encoding="utf-8") as file:
        assert len(file.readlines()) < 80


def test_smallest_server(openssh):
    with Example("smallest_server") as server:
        result = openssh.run(server, user="guest", auth=Nothing())
        assert (result.code, result.text) == (0, "Hello, guest!\r\n")
        assert openssh.run(server, user="other", auth=Nothing()).code == 255


def test_password(openssh):
    with Example("password") as server:
        assert openssh.run(server, user="alice", auth=Password("wonderland")).code == 0
        assert openssh.run(server, user="alice", auth=Kbdint(["wonderland"])).code == 0
        assert openssh.run(server, user="alice", auth=Password("wrong")).code == 255
        assert openssh.run(server, user="bob", auth=Password("old", new="brand-new-1")).code == 0
        assert openssh.run(server, user="bob", auth=Password("brand-new-1")).code == 0
        assert openssh.run(server, user="bob", auth=Password("old")).code == 255


def test_slow_answer(openssh):
    """While one client waits for its answer, another one is served."""
    with Example("slow_answer") as server:
        slow = Raw(server.port, cipher=MODERN)
        slow.handshake()
        slow.service()
        slow.request("first", "none")
        with Raw(server.port, cipher=MODERN) as other:
            other.handshake()  # answered while the first one waits
            other.service()
        failure(slow.answer())
        slow.sock.close()
        assert openssh.run(server, user="ann", auth=Password("slow")).code == 0


def test_one_time_code():
    with Example("one_time_code") as server, Raw(server.port, cipher=MODERN) as raw:
        raw.handshake()
        raw.service()
        assert raw.kbdint("alice")[0] == 60
        line = server.out.wait(lambda text: text.startswith("code for alice"))
        assert raw.respond("wrong!")[0] == 60
        assert raw.respond(re.search(r"\d{6}", line).group())[0] == 52
    with Example("one_time_code") as server, Raw(server.port, cipher=MODERN) as raw:
        raw.handshake()
        raw.service()
        raw.kbdint("mallory")
        line = server.out.wait(lambda text: text.startswith("code for mallory"))
        assert raw.respond(re.search(r"\d{6}", line).group())[0] == 51


def test_chat_room(openssh):
    with Example("chat_room") as server:
        ann = openssh.start(server, user="ann", auth=Nothing())
        bob = None
        try:
            assert b"ann came in" in ann.stdout.readline()
            bob = openssh.start(server, user="bob", auth=Nothing())
            assert b"bob came in" in bob.stdout.readline()
            assert b"bob came in" in ann.stdout.readline()
            bob.stdin.write(b"hello everybody\n")
            bob.stdin.flush()
            assert b"bob: hello everybody" in ann.stdout.readline()
        finally:
            for process in (ann, bob):
                if process:
                    process.kill()
                    process.communicate()


def test_port_in_use():
    """A clear error and a failing exit code."""
    with Example("smallest_server") as server:
        process = subprocess.run(
            [built("examples", "smallest_server"), str(server.port)],
            capture_output=True, text=True, check=False, timeout=60,
        )
        assert process.returncode != 0
        assert "in use" in process.stderr


def test_gateway():
    asyncssh = pytest.importorskip("asyncssh")

    async def refused(opening):
        with pytest.raises(asyncssh.ChannelOpenError) as refusal:
            await opening
        return refusal.value.code

    async def visit(server, port):
        async with asyncssh.connect(
            "127.0.0.1", server.port, username="ann", password="open", known_hosts=None
        ) as conn:
            reader, _ = await conn.open_connection("hello.gateway", 1)
            assert (await reader.read()).startswith(b"Hello ann")
            reader, _ = await conn.open_connection("127.0.0.1", port)
            assert await reader.read() == b"reached"
            assert await refused(conn.open_connection("127.0.0.1", 1)) == 1
            assert await refused(conn.create_process("ls")) == 2

    async def both():
        def serve(_, writer):
            writer.write(b"reached")
            writer.close()

        listener = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with listener:
            port = listener.sockets[0].getsockname()[1]
            with Example("gateway", "-", f"127.0.0.1:{port}") as server:
                await asyncio.wait_for(visit(server, port), 2 * PATIENCE)

    asyncio.run(both())


@pytest.mark.parametrize("arguments", [["bastion"], ["git_server"], ["bastion", "0", "-", "/none"],
                                       ["git_server", "0", "-", "/", "/none"]])
def test_what_is_missing_is_said(arguments):
    run = subprocess.run([built("examples", arguments[0]), *arguments[1:]], timeout=60,
                         capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert ("/none" if len(arguments) > 1 else "usage") in run.stderr


def make_key(path, *more):
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path), *more],
                   check=True)
    return path


def ssh_options(key):
    return ["-F", "none", "-i", str(key), "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes",
            "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
            "-o", "LogLevel=ERROR"]


def test_git_server(tmp_path):
    make_key(tmp_path / "ann")
    make_key(tmp_path / "reader")
    make_key(tmp_path / "other")
    served = tmp_path / "served"
    served.mkdir()

    def git(*arguments, key="ann", code=0):
        ssh = " ".join(["ssh", *ssh_options(tmp_path / key)])
        env = dict(os.environ, GIT_SSH_COMMAND=ssh, GIT_CONFIG_GLOBAL="/dev/null",
                   GIT_AUTHOR_NAME="a", GIT_AUTHOR_EMAIL="a@b", GIT_COMMITTER_NAME="a",
                   GIT_COMMITTER_EMAIL="a@b")
        run = subprocess.run(["git", *arguments], env=env, cwd=tmp_path, text=True, timeout=120,
                             capture_output=True, check=False)
        assert run.returncode == code, run.stderr
        return run.stdout + run.stderr

    git("init", "-q", "--bare", "-b", "main", str(served / "one.git"))
    listed = [(tmp_path / "ann.pub").read_text(),
              "command=\"git-upload-pack 'one.git'\" " + (tmp_path / "reader.pub").read_text()]
    (tmp_path / "keys").write_text("".join(listed))
    with Example("git_server", "-", str(served), str(tmp_path / "keys")) as server:
        url = f"ssh://git@127.0.0.1:{server.port}/"
        git("clone", "-q", url + "one.git", "work")
        (tmp_path / "work" / "file").write_bytes(os.urandom(1 << 20))
        git("-C", "work", "add", "file")
        git("-C", "work", "commit", "-q", "-m", "first")
        git("-C", "work", "push", "-q", "origin", "HEAD:main")
        git("clone", "-q", url + "one.git", "again")
        assert (tmp_path / "again" / "file").read_bytes() == \
            (tmp_path / "work" / "file").read_bytes()
        git("-C", "again", "fetch", "-q", key="reader")  # a key that may fetch, and nothing else
        git("-C", "again", "push", "origin", "HEAD:refs/heads/no", key="reader", code=1)
        assert not (served / "one.git" / "refs" / "heads" / "no").exists()
        git("clone", "-q", url + "one.git", "third", key="other", code=128)
        for name in ("../served/one.git", "/one.git/x", "-u", "one.git;id", ".."):
            assert "Only git clone" in git("clone", url + name, "no", code=128)
        run = subprocess.run(["ssh", *ssh_options(tmp_path / "ann"), "-p", str(server.port),
                              "git@127.0.0.1", "id"], capture_output=True, text=True, timeout=60,
                             check=False)
        assert (run.returncode, run.stdout) == (128, "")


def test_bastion(tmp_path):
    ca, ann, bare = (make_key(tmp_path / name) for name in ("ca", "ann", "bare"))
    subprocess.run(["ssh-keygen", "-q", "-s", str(ca), "-I", "ann's", "-n", "ann", f"{ann}.pub"],
                   check=True)
    with Example("smallest_server") as inside:
        place = f"127.0.0.1:{inside.port}"
        with Example("bastion", "-", f"{ca}.pub", place) as bastion:
            def jump(key, user="ann", to=place):
                proxy = " ".join(["ssh", *ssh_options(key), "-p", str(bastion.port), "-W", to,
                                  f"{user}@127.0.0.1"])
                return subprocess.run(
                    ["ssh", *ssh_options(key), "-o", f"ProxyCommand={proxy}", "guest@inside"],
                    capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL,
                    check=False)

            assert jump(ann).stdout == "Hello, guest!\n"
            assert f"ann (ann's) to {place}" in bastion.out.wait(lambda line: "ann's" in line)
            assert jump(ann, user="bob").returncode == 255  # not his certificate
            assert jump(bare).returncode == 255
            refused = subprocess.run(
                ["ssh", *ssh_options(ann)[:-2], "-p", str(bastion.port), "-W", "127.0.0.1:1",
                 "ann@127.0.0.1"], capture_output=True, text=True, timeout=60,
                stdin=subprocess.DEVNULL, check=False)
            assert refused.returncode == 255 and "not behind this bastion" in refused.stderr
            run = subprocess.run(["ssh", *ssh_options(ann), "-p", str(bastion.port),
                                  "ann@127.0.0.1", "id"], capture_output=True, text=True,
                                 timeout=60, check=False)
            assert run.returncode == 255 and run.stdout == ""


def test_status_board():
    asyncssh = pytest.importorskip("asyncssh")

    async def look(server):
        async with asyncssh.connect("127.0.0.1", server.port, username="ann",
                                    known_hosts=None) as conn:
            process = await conn.create_process(term_type="xterm", term_size=(60, 10))
            seen = await process.stdout.readuntil("q leaves")
            assert "1 connected, 1 logins" in seen and "ann" in seen
            assert "\x1b[10;1H" in seen  # the last row
            process.change_terminal_size(60, 20)
            assert "\x1b[20;1H" in await process.stdout.readuntil("q leaves")
            process.stdin.write("\x1b[B")
            await process.stdout.readuntil("q leaves")
            process.stdin.write("q")
            await process.wait()
            assert process.exit_status == 0
            run = await conn.run("")
            assert run.exit_status == 1 and "A terminal is needed" in run.stderr

    with Example("status_board") as server:
        asyncio.run(asyncio.wait_for(look(server), 2 * PATIENCE))
