"""What a client lends to its sessions: its authentication agent and its X server. The forms of
agent_requested and x11_requested, real clients with a real agent and a real X server, and a raw
client of the agent."""

import asyncio
import contextlib
import os
import re
import shutil
import socket
import stat
import subprocess

import pytest

from lending import (  # noqa: F401 - fixtures too
    agent,
    AGENT,
    confirm,
    connect_unix,
    connect_x11,
    display,
    hold,
    login,
    place,
    refuse,
    request,
    run_ssh,
    server,
    start,
    take_data,
    take_open,
    with_agent,
    x11_fields,
)
from rawssh import (
    CHANNEL_CLOSE,
    CHANNEL_EOF,
    CHANNEL_FAILURE,
    CHANNEL_REQUEST,
    CHANNEL_SUCCESS,
    Raw,
    string,
    u32,
)
from servers import PATIENCE, wait_until


@pytest.mark.parametrize("user", ["accept", "later", "twice"])
def test_ssh_agent(server, agent, keys, user):
    result = run_ssh(server, "-A", "ssh-add -l", user=user, env=with_agent(agent))
    assert keys.fingerprint(keys.user()) in result.stdout, result
    assert result.returncode == 0
    assert server.wait("agent-request")["x11"] is False


@pytest.mark.parametrize("user", ["refuse", "absent", "later-refuse"])
def test_ssh_agent_refused(server, agent, user):
    result = run_ssh(server, "-A", "echo $SSH_AUTH_SOCK; ssh-add -l", user=user, env=with_agent(agent))
    assert result.stdout == "/nowhere\n" and result.returncode == 2, result
    assert server.wait("started")["agent"] is None


def test_ssh_without_agent(server, agent):
    assert run_ssh(server, "-a", "echo $SSH_AUTH_SOCK", env=with_agent(agent)).stdout == "/nowhere\n"


def test_environment(server, agent):
    """The library's variables take the place of the application's, and only these."""
    result = run_ssh(server, "-A", "env", env=with_agent(agent))
    lines = result.stdout.splitlines()
    path = server.wait("started")["agent"]
    assert f"SSH_AUTH_SOCK={path}" in lines and path.startswith(server.directory + "/sallyport-")
    assert len([line for line in lines if line.startswith("SSH_AUTH_SOCK=")]) == 1
    assert {"DISPLAY=nowhere:0", "XAUTHORITY=/nowhere", "LAST=1"} <= set(lines)


def test_twenty_at_once(server, agent, keys):
    command = "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do ssh-add -l & done; wait"
    result = run_ssh(server, "-A", command, env=with_agent(agent))
    assert result.stdout.count(keys.fingerprint(keys.user())) == 20, result


def test_nested(server, agent, keys):
    inner = (
        f"ssh -A -F none -p {server.port} -T -o StrictHostKeyChecking=no -o LogLevel=ERROR"
        " -o UserKnownHostsFile=/dev/null accept@127.0.0.1"
    )
    result = run_ssh(server, "-A", f"{inner} '{inner} ssh-add -l'", env=with_agent(agent))
    assert keys.fingerprint(keys.user()) in result.stdout, result


def test_signature_through_it(server, agent, keys, tmp_path):
    """More than a list: the agent signs, through the forwarded socket."""
    message = tmp_path / "message"
    message.write_text("hello")
    command = f"ssh-keygen -q -Y sign -n file -f {keys.user()}.pub {message} && cat {message}.sig"
    result = run_ssh(server, "-A", command, env=with_agent(agent))
    assert "BEGIN SSH SIGNATURE" in result.stdout, result


def test_application_uses_agent(server, agent):
    result = run_ssh(server, "-A", "agent", env=with_agent(agent))
    assert result.stdout == "1 keys\n" and result.returncode == 0, result
    assert server.wait("agent-lost")["error"] == 0


@pytest.mark.parametrize("flags,user", [(["-a"], "accept"), (["-A"], "refuse")])
def test_application_may_not_use_agent(server, agent, flags, user):
    result = run_ssh(server, *flags, "agent", user=user, env=with_agent(agent))
    assert result.returncode == 2 and result.stdout == ""
    assert server.wait("agent-connection")["result"] == -15  # SP_EACCES


@pytest.mark.parametrize("flag", ["-X", "-Y"])
def test_ssh_x11(server, display, flag):
    result = run_ssh(server, flag, "echo $DISPLAY; xdpyinfo", env=display.environment)
    lines = result.stdout.splitlines()
    assert re.fullmatch(r"localhost:\d+\.0", lines[0]), result
    assert lines[1].startswith("name of display:") and "X.Org version" in result.stdout, result
    assert server.wait("started")["display"] == lines[0]


def test_ssh_x11_many(server, display):
    command = "for i in 1 2 3 4 5 6 7 8; do xdpyinfo & done; wait"
    result = run_ssh(server, "-Y", command, env=display.environment)
    assert result.stdout.count("X.Org version") == 8, result


def test_ssh_x11_nested(server, display):
    """ssh asks xauth for the cookie of the proxy display, by the host's name."""
    inner = (
        f"ssh -Y -F none -p {server.port} -T -o StrictHostKeyChecking=no -o LogLevel=ERROR"
        " -o UserKnownHostsFile=/dev/null accept@127.0.0.1 xdpyinfo"
    )
    result = run_ssh(server, "-Y", inner, env=display.environment)
    assert "X.Org version" in result.stdout, result


@pytest.mark.parametrize("user", ["refuse", "absent", "later-refuse"])
def test_ssh_x11_refused(server, display, user):
    result = run_ssh(server, "-Y", "echo $DISPLAY", user=user, env=display.environment)
    assert result.stdout == "nowhere:0\n", result
    assert server.wait("started")["display"] is None


def test_ssh_x11_without_cookie(server, display):
    result = run_ssh(server, "-Y", "XAUTHORITY=/dev/null xdpyinfo; xdpyinfo", env=display.environment)
    assert "Authorization failed" in result.stderr, result
    assert "X.Org version" in result.stdout


def test_plink(server, agent, keys, display, home):
    if not shutil.which("plink"):
        pytest.skip("plink is not installed")
    scan = subprocess.run(
        ["ssh-keyscan", "-p", str(server.port), "-t", "ed25519", "127.0.0.1"],
        capture_output=True, text=True, check=True,
    ).stdout.split()
    fingerprint = subprocess.run(
        ["ssh-keygen", "-lf", "-"], input=" ".join(scan), capture_output=True, text=True, check=True
    ).stdout.split()[1]
    result = subprocess.run(
        ["plink", "-ssh", "-batch", "-A", "-X", "-P", str(server.port), "-l", "accept"]
        + ["-hostkey", fingerprint, "127.0.0.1", "ssh-add -l; xdpyinfo"],
        env=dict(display.environment, SSH_AUTH_SOCK=agent, HOME=str(home)),
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE, check=False,
    )
    assert keys.fingerprint(keys.user()) in result.stdout, result
    assert "X.Org version" in result.stdout, result


def test_asyncssh(server, agent, keys, display):
    asyncssh = pytest.importorskip("asyncssh")

    async def go():
        async with asyncssh.connect(
            "127.0.0.1", server.port, username="accept", known_hosts=None, config=None,
            client_keys=None, agent_path=agent, agent_forwarding=agent,
        ) as connection:
            result = await connection.run(
                "ssh-add -l; xdpyinfo", x11_forwarding=True, x11_display=display.name,
                x11_auth_path=display.authority, x11_single_connection=True, stdin=asyncssh.DEVNULL,
            )
            return result.stdout

    output = asyncio.run(asyncio.wait_for(go(), PATIENCE))
    assert keys.fingerprint(keys.user()) in output and "X.Org version" in output, output
    assert server.wait("x11-request")["single"] is True


def test_paramiko(server, agent, keys, monkeypatch):
    paramiko = pytest.importorskip("paramiko")
    from paramiko.agent import AgentRequestHandler

    monkeypatch.setenv("SSH_AUTH_SOCK", agent)
    transport = paramiko.Transport(("127.0.0.1", server.port))
    try:
        transport.start_client(timeout=PATIENCE)
        transport.auth_none("accept")
        session = transport.open_session()
        handler = AgentRequestHandler(session)
        session.exec_command("ssh-add -l")
        output = session.makefile().read().decode()
        handler.close()
    finally:
        transport.close()
    assert keys.fingerprint(keys.user()) in output


# ---- a raw client


@pytest.mark.parametrize("kind", ["agent", "x11"])
def test_forms(server, kind):
    expected = {
        "accept": True, "later": True, "twice": True,
        "refuse": False, "absent": False, "later-refuse": False,
    }
    fields = [] if kind == "agent" else x11_fields()
    name = AGENT if kind == "agent" else "x11-req"
    for user, granted in expected.items():
        with login(server, user) as raw:
            _, theirs, _, _ = raw.open_session()
            assert request(raw, theirs, name, *fields) is granted, user
            if user == "twice":
                assert server.wait("second")["result"] == -4  # SP_EALREADY
            if granted:
                assert request(raw, theirs, name, *fields) is False  # once is enough
            assert request(raw, theirs, "exec", string("hold"))
            assert request(raw, theirs, name, *fields) is False  # too late
    server.clean()


@pytest.mark.parametrize("kind", ["agent", "x11"])
def test_answered_after_the_client_left(server, kind):
    with login(server, "never") as raw:
        _, theirs, _, _ = raw.open_session()
        name = AGENT if kind == "agent" else "x11-req"
        raw.channel_request(theirs, name, *([] if kind == "agent" else x11_fields()))
        raw.channel_request(theirs, "exec", string("hold"))
        server.wait("asked")
    assert server.wait("late")["result"] == -5  # SP_ECONN
    server.wait("gone")


@pytest.mark.parametrize(
    "option,agent,x11",
    [
        ("", True, True),
        ("no-agent-forwarding ", False, True),
        ("no-X11-forwarding ", True, False),
        ("restrict ", False, False),
        ("restrict,agent-forwarding ", True, False),
        ("restrict,X11-forwarding ", False, True),
    ],
)
def test_key_forbids(start, keys, tmp_path, option, agent, x11):
    """What the key does not permit is refused before anybody is asked."""
    with open(keys.user() + ".pub", encoding="utf-8") as file:
        (tmp_path / "authorized").write_text(option + file.read())
    server = start("--authorized", tmp_path / "authorized")
    with Raw(server.port) as raw:
        raw.handshake()
        raw.service()
        raw.public_key("keys", keys.user())
        _, theirs, _, _ = raw.open_session()
        assert request(raw, theirs, AGENT) is agent
        assert request(raw, theirs, "x11-req", *x11_fields()) is x11
        assert request(raw, theirs, "exec", string("hold"))
        server.wait("started")
        with server.out.condition:
            names = [event.get("event") for event in server.out.items]
        assert ("agent-request" in names, "x11-request" in names) == (agent, x11)
    server.clean()


def test_replies_keep_their_order(server):
    with login(server, "later") as raw:
        _, theirs, _, _ = raw.open_session()
        raw.channel_request(theirs, AGENT)
        raw.channel_request(theirs, "nonsense")
        raw.channel_request(theirs, "x11-req", *x11_fields())
        raw.channel_request(theirs, "x11-req", *x11_fields(cookie="0"))
        raw.channel_request(theirs, "exec", string("hold"))
        replies = [raw.expect(CHANNEL_SUCCESS, CHANNEL_FAILURE)[0] for _ in range(5)]
    assert [r == CHANNEL_SUCCESS for r in replies] == [True, False, True, False, True]


def test_agent_channel(server):
    with login(server) as raw:
        _, lent = hold(server, raw, agent=True)
        path = lent["agent"]
        assert stat.S_IMODE(os.stat(os.path.dirname(path)).st_mode) == 0o700
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
        with connect_unix(path) as program:
            kind, theirs, reader = take_open(raw)
            assert kind == "auth-agent@openssh.com" and reader.rest() == b""
            program.sendall(b"question")  # before the channel is confirmed
            confirm(raw, theirs)
            assert take_data(raw, 8) == b"question"
            raw.data(theirs, b"answer")
            assert program.recv(100) == b"answer"
            program.shutdown(socket.SHUT_WR)
            raw.expect(CHANNEL_EOF)
            raw.data(theirs, b"more")
            assert program.recv(100) == b"more"
            raw.send(bytes([CHANNEL_CLOSE]) + u32(theirs))
            raw.expect(CHANNEL_CLOSE)
            assert program.recv(100) == b""


def test_agent_channel_refused(server):
    with login(server) as raw:
        _, lent = hold(server, raw, agent=True)
        for _ in range(3):
            with connect_unix(lent["agent"]) as program:
                _, theirs, _ = take_open(raw)
                refuse(raw, theirs)
                assert program.recv(100) == b""


def test_application_is_refused_by_the_client(server):
    with login(server) as raw:
        _, theirs, _, _ = raw.open_session()
        assert request(raw, theirs, AGENT)
        assert request(raw, theirs, "exec", string("agent"))
        refuse(raw, take_open(raw)[1], code=4)
        lost = server.wait("agent-lost")
        assert (lost["error"], lost["code"]) == (-5, 4)
        raw.expect(CHANNEL_REQUEST)  # its exit status
        raw.expect(CHANNEL_EOF)
        raw.expect(CHANNEL_CLOSE)


def test_each_session_has_its_own(server):
    """What one session was lent ends with it; what is relayed goes on."""
    with login(server) as raw:
        first, lent = hold(server, raw, agent=True, x11=x11_fields())
        _, other = hold(server, raw, agent=True, x11=x11_fields())
        assert lent["agent"] != other["agent"] and lent["display"] != other["display"]
        assert len(os.listdir(server.directory)) == 2
        with connect_unix(lent["agent"]) as program:
            _, theirs, _ = take_open(raw)
            confirm(raw, theirs)
            raw.send(bytes([CHANNEL_CLOSE]) + u32(first))
            raw.expect(CHANNEL_CLOSE)
            wait_until(lambda: not os.path.exists(lent["agent"]))
            assert server.wait("session-lost")["lent"] is False
            assert os.listdir(server.directory) == [other["agent"].split("/")[-2]]
            with pytest.raises(OSError):
                connect_x11(lent["display"])
            raw.data(theirs, b"still here")
            assert program.recv(100) == b"still here"
            with connect_unix(other["agent"]):
                assert take_open(raw)[0] == "auth-agent@openssh.com"


def test_channels_used_up(start):
    server = start("--channels", 3)
    with login(server) as raw:
        _, lent = hold(server, raw, agent=True)
        with contextlib.ExitStack() as stack:
            programs = [stack.enter_context(connect_unix(lent["agent"])) for _ in range(2)]
            opens = [take_open(raw)[1] for _ in range(2)]
            with connect_unix(lent["agent"]) as program:
                assert program.recv(100) == b""  # closed, for want of a channel
            for theirs in opens:
                refuse(raw, theirs)
            for program in programs:
                assert program.recv(100) == b""
        with connect_unix(lent["agent"]):
            take_open(raw)
    server.clean()
