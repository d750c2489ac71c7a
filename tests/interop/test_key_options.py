"""Each option of authorized_keys (sshd(8)) to its effect on a real login, what the application accepts
a key with, and logins that take several proofs."""

import socket
import threading

import pytest

from cert_tools import serve, shop, ssh  # noqa: F401 - fixtures too
from rawssh import CHANNEL_SUCCESS, OPEN_FAILURE, Raw, Reader, failure, string, u32

PLAIN = "ssh-ed25519"


@pytest.fixture
def echo():
    """A TCP service on this machine that greets everyone and leaves."""
    listener = socket.create_server(("127.0.0.1", 0))

    def run():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connection.sendall(b"hello from there\n")
            connection.close()

    threading.Thread(target=run, daemon=True).start()
    yield listener.getsockname()[1]
    listener.close()


def login(shop, server, *command, **options):
    return ssh(server, shop.key("user"), *command, algorithms=PLAIN, **options)


def with_options(shop, serve, options, **more):
    return serve(authorized=shop.authorized((options, shop.key("user"))), **more)


def denied(result):
    assert result.returncode == 255 and b"Permission denied" in result.stderr, result


# ---- command ------------------------------------------------------------------------------------


def test_no_options(shop, serve):
    server = with_options(shop, serve, "")
    assert login(shop, server, "echo $SSH_ORIGINAL_COMMAND.").stdout == b".\n"
    start = server.wait("start")
    assert (start["command"], start["asked"], start["original"]) == (
        "echo $SSH_ORIGINAL_COMMAND.", None, None,
    )
    allowed = server.wait("login")
    for name in ("pty", "port-forwarding", "agent-forwarding", "X11-forwarding", "user-rc"):
        assert allowed["key:" + name] is True and allowed["certificate:" + name] is True


def test_command_in_place_of_a_command(shop, serve):
    server = with_options(shop, serve, 'command="echo \\"[$SSH_ORIGINAL_COMMAND]\\""')
    assert login(shop, server, "rm -rf 'a  b'").stdout == b"[rm -rf 'a  b']\n"
    start = server.wait("start")
    assert start["asked"] == "exec" and start["original"] == "rm -rf 'a  b'"
    assert server.wait("login")["key:command:0"] == 'echo "[$SSH_ORIGINAL_COMMAND]"'


def test_command_in_place_of_a_shell(shop, serve):
    server = with_options(shop, serve, 'command="echo [$SSH_ORIGINAL_COMMAND]"')
    assert login(shop, server, more=["-T"], input=b"echo mine\n").stdout == b"[]\n"
    start = server.wait("start")
    assert start["asked"] == "shell" and start["original"] is None


def test_command_in_place_of_a_subsystem(shop, serve):
    server = with_options(shop, serve, 'command="echo [$SSH_ORIGINAL_COMMAND]"')
    result = login(shop, server, "sftp", more=["-s"])
    assert result.stdout == b"[sftp]\n", result
    start = server.wait("start")
    assert start["asked"] == "subsystem" and start["original"] == "sftp"


def test_command_for_each_session(shop, serve):
    """Every session of the connection, not only the first; by hand, because ssh opens one."""
    server = serve(key=shop.key("user") + ".pub", options='command="echo forced"')
    with Raw(server.port) as raw:
        raw.handshake()
        raw.service()
        raw.public_key("alice", shop.key("user"))
        rest = (93, 94, 96, 97, 98)  # what the sessions before it still have to say
        for _ in range(3):
            raw.open()
            reader = Reader(raw.expect(91, skip=rest)[1:])
            reader.u32()
            raw.channel_request(reader.u32(), "exec", string("echo mine"))
            raw.expect(CHANNEL_SUCCESS, skip=rest)
        assert [e["command"] for e in server.seen("start")] == ["echo forced"] * 3


# ---- pty, restrict ------------------------------------------------------------------------------


@pytest.mark.parametrize("options, allowed", [
    ("", True), ("no-pty", False), ("restrict", False), ("restrict,pty", True), ("NO-PTY", False),
])
def test_pty(shop, serve, options, allowed):
    server = with_options(shop, serve, options)
    result = login(shop, server, "tty", more=["-tt"])
    assert (b"/dev/pts/" in result.stdout) == allowed, result
    assert (b"PTY allocation request failed" in result.stderr) != allowed
    assert server.wait("login")["key:pty"] is allowed


def test_restrict(shop, serve):
    server = with_options(shop, serve, "restrict", forward="yes")
    login(shop, server, "true")
    granted = server.wait("login")
    for name in ("pty", "port-forwarding", "agent-forwarding", "X11-forwarding", "user-rc"):
        assert granted["key:" + name] is False


@pytest.mark.parametrize("name", ["port-forwarding", "agent-forwarding", "X11-forwarding", "user-rc"])
def test_each_permission(shop, serve, name):
    server = with_options(shop, serve, "no-" + name)
    login(shop, server, "true")
    assert server.wait("login")["key:" + name] is False
    server = with_options(shop, serve, "restrict," + name)
    login(shop, server, "true")
    granted = server.wait("login")
    assert granted["key:" + name] is True and granted["key:pty"] is False


# ---- forwarding ---------------------------------------------------------------------------------


def reaches(shop, server, port, host="127.0.0.1"):
    result = login(shop, server, more=["-W", f"{host}:{port}"])
    return result.stdout == b"hello from there\n", result


@pytest.mark.parametrize("options", [
    "", 'permitopen="127.0.0.1:{port}"', 'permitopen="127.0.0.1:*"', 'permitopen="*:{port}"',
    'permitopen="10.0.0.1:1",permitopen="127.0.0.1:{port}"', "restrict,port-forwarding",
    'restrict,port-forwarding,permitopen="127.0.0.1:{port}"', 'permitlisten="*:1"',
])
def test_permitopen(shop, serve, echo, options):
    server = with_options(shop, serve, options.format(port=echo), forward="yes")
    there, result = reaches(shop, server, echo)
    assert there, result
    assert server.wait("connection")["host"] == "127.0.0.1"


@pytest.mark.parametrize("options", [
    "no-port-forwarding", "restrict", 'permitopen="127.0.0.1:1"', 'permitopen="localhost:{port}"',
    'permitopen="10.0.0.1:*"', 'no-port-forwarding,permitopen="127.0.0.1:{port}"',
    'restrict,permitopen="127.0.0.1:{port}"',
])
def test_permitopen_refuses(shop, serve, echo, options):
    """The application is not asked, and the client is told by the code for prohibited."""
    server = with_options(shop, serve, options.format(port=echo), forward="yes")
    there, result = reaches(shop, server, echo)
    assert not there and b"administratively prohibited" in result.stderr, result
    assert not server.seen("connection")
    server.logged("not permitted by the key")


@pytest.mark.parametrize("options, allowed", [
    ("", True), ("no-port-forwarding", False), ("restrict", False),
    ('permitopen="127.0.0.1:80"', False), ("restrict,port-forwarding", True),
])
def test_forwarding_to_a_path(shop, serve, tmp_path, options, allowed):
    path = str(tmp_path / "socket")
    server = serve(key=shop.key("user") + ".pub", forward="yes", **(
        {"options": options} if options else {}
    ))
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()
    with Raw(server.port) as raw:
        raw.handshake()
        raw.service()
        raw.public_key("alice", shop.key("user"))
        raw.open("direct-streamlocal@openssh.com", more=string(path) + string("") + u32(0))
        if allowed:
            raw.expect(91)
            assert server.wait("connection")["path"] == path
        else:
            reader = Reader(raw.expect(OPEN_FAILURE)[1:])
            assert (reader.u32(), reader.u32()) == (0, 1)
            assert not server.seen("connection")
    listener.close()


@pytest.mark.parametrize("options, allowed", [
    ("", True), ('permitlisten="localhost:*"', True), ('permitlisten="*:*"', True),
    ("restrict,port-forwarding", True), ('permitopen="127.0.0.1:1"', True),
    ("no-port-forwarding", False), ("restrict", False), ('permitlisten="localhost:1"', False),
    ('permitlisten="10.0.0.1:*"', False), ('restrict,permitlisten="*:*"', False),
])
def test_permitlisten(shop, serve, options, allowed):
    """Refused without the application being asked."""
    server = with_options(shop, serve, options, forward="yes")
    result = login(shop, server, "true", more=[
        "-R", "0:127.0.0.1:1", "-o", "ExitOnForwardFailure=yes",
    ])
    assert (result.returncode == 0) == allowed, result
    assert bool(server.seen("listen")) == allowed
    if not allowed:
        server.logged("tcpip-forward refused: not permitted by the key")


@pytest.mark.parametrize("options, allowed", [
    ("", True), ("no-port-forwarding", False), ('permitlisten="localhost:1"', False),
])
def test_listening_on_a_path(shop, serve, tmp_path, options, allowed):
    server = with_options(shop, serve, options, forward="yes")
    result = login(shop, server, "true", more=[
        "-R", f"{tmp_path}/socket:127.0.0.1:1", "-o", "ExitOnForwardFailure=yes",
    ])
    assert (result.returncode == 0) == allowed, result
    assert bool(server.seen("listen")) == allowed


# ---- who and when -------------------------------------------------------------------------------


@pytest.mark.parametrize("list_", [
    "127.0.0.1", "127.0.0.0/8", "10.0.0.0/8,127.0.0.1", "127.0.0.*", "!10.0.0.1,127.*",
])
def test_from(shop, serve, list_):
    server = with_options(shop, serve, f'from="{list_}"')
    assert login(shop, server, "echo in").stdout == b"in\n"
    assert server.wait("login")["key:from:0"] == list_


@pytest.mark.parametrize("list_", ["10.0.0.0/8", "!127.0.0.1,127.*", "127.0.0.2", "example.com"])
def test_from_refuses(shop, serve, list_):
    server = with_options(shop, serve, f'from="{list_}"')
    denied(login(shop, server, "true"))
    server.refused("source address not allowed")


@pytest.mark.parametrize("time, wall, good", [
    ("20300101", 1700000000, True), ("20200101", 1700000000, False),
    ("20231114221321Z", 1700000000, True), ("20231114221319Z", 1700000000, False),
])
def test_expiry_time(shop, serve, time, wall, good):
    server = with_options(shop, serve, f'expiry-time="{time}"', wall=wall)
    result = login(shop, server, "echo in")
    if good:
        assert result.stdout == b"in\n", result
    else:
        denied(result)
        server.refused("key has expired")


@pytest.mark.parametrize("line", [
    "frobnicate", 'command="x', "command=x", 'from=""', 'expiry-time="soon"', "permitopen",
    'permitopen="127.0.0.1"', "no-frob", "command",
])
def test_line_that_is_not_understood(shop, serve, line):
    """An option that nobody understands never widens what its key may do."""
    server = with_options(shop, serve, line)
    assert server.wait("line")["line"] == 1
    denied(login(shop, server, "true"))


def test_first_line_that_fits(shop, serve):
    key = shop.key("user")
    server = serve(authorized=shop.authorized(
        ('from="10.0.0.1",command="echo one"', key), ('command="echo two"', key), ("", key),
    ))
    assert login(shop, server, "echo mine").stdout == b"two\n"


def test_key_of_a_ca_line_is_no_key(shop, serve):
    server = with_options(shop, serve, "cert-authority")
    denied(login(shop, server, "true"))
    server.refused("key not accepted")


# ---- environment --------------------------------------------------------------------------------


def test_environment(shop, serve):
    server = with_options(shop, serve, 'environment="FOO=a b",environment="BAR=2"')
    result = login(shop, server, "echo $FOO $BAR $MINE", more=["-o", "SetEnv=MINE=3 FOO=x"])
    assert result.stdout == b"a b 2 3\n", result  # what the key sets, the client can't change
    granted = server.wait("login")
    assert granted["key:environment:0"] == "FOO=a b" and granted["key:environment:1"] == "BAR=2"


def test_environment_not_obeyed(shop, serve):
    server = serve(key=shop.key("user") + ".pub", options='environment="FOO=1"',
                   no_environment="yes")
    result = login(shop, server, "echo $FOO.", more=["-o", "SetEnv=FOO=2"])
    assert result.stdout == b"2.\n", result
    assert server.wait("login")["key:environment:0"] == "FOO=1"


# ---- lists --------------------------------------------------------------------------------------


def test_publickey_is_offered_when_keys_are_set(shop, serve):
    """public_key_auth_supported says no, and there is no validate_public_key that would know it."""
    for options, methods in (({}, []), ({"authorized": shop.authorized(("", shop.key("user")))},
                                        ["publickey"])):
        server = serve(**options)
        with Raw(server.port) as raw:
            raw.handshake()
            raw.service()
            assert failure(raw.none("alice"))[0] == methods


def test_list_comes_before_the_application(shop, serve):
    server = with_options(shop, serve, "no-pty", key=shop.key("user") + ".pub")
    assert login(shop, server, "true").returncode == 0
    assert server.wait("login")["key:pty"] is False
    assert not server.seen("question")


def test_application_is_asked_when_no_line_fits(shop, serve):
    server = with_options(shop, serve, 'from="10.0.0.1"', key=shop.key("user") + ".pub")
    assert login(shop, server, "true").returncode == 0
    assert server.wait("login")["key:pty"] is True
    assert server.seen("question")


@pytest.mark.parametrize("later", [False, True])
def test_list_of_one_user(shop, serve, later):
    keys = shop.authorized(("", shop.key("user")))
    server = serve(user_authorized=keys, **({"user_later": "yes"} if later else {}))
    denied(login(shop, server, "true", user="nokeys"))
    assert login(shop, server, "true").returncode == 0
    if later:
        assert server.wait("keys")["result"] == "success"


def test_list_that_comes_too_late(shop, serve):
    """The client has gone on to another name: the list is not for that one."""
    server = serve(user_authorized=shop.authorized(("", shop.key("user"))), user_later="keep")
    with Raw(server.port) as raw:
        raw.handshake()
        raw.service()
        raw.request("alice", "none")
        raw.request("nokeys", "none")
        assert failure(raw.answer())[0] == []
        assert server.wait("begin")["result"] == "the connection or its channel is gone"
        assert server.wait("keys")["result"] == "the connection or its channel is gone"
        assert failure(raw.public_key("nokeys", shop.key("user")))[0] == []
    assert not server.seen("login")


def test_list_of_one_user_replaces_the_servers(shop, serve):
    server = serve(
        authorized=shop.authorized(("", shop.key("user"))),
        user_authorized=shop.authorized(("", shop.key("other"))),
    )
    denied(login(shop, server, "true"))
    assert login(shop, server, "true", user="nokeys").returncode == 0


# ---- what the application accepts with ----------------------------------------------------------


def test_accept_with_options(shop, serve):
    server = serve(key=shop.key("user") + ".pub", options='restrict,command="echo forced"')
    assert login(shop, server, "echo mine").stdout == b"forced\n"
    granted = server.wait("login")
    assert granted["key:pty"] is False and granted["key:command:0"] == "echo forced"


def test_accept_with_options_that_refuse(shop, serve):
    server = serve(key=shop.key("user") + ".pub", options='from="10.0.0.1"')
    denied(login(shop, server, "true"))
    server.refused("source address not allowed")


def test_accept_without_options(shop, serve):
    server = serve(key=shop.key("user") + ".pub")
    assert login(shop, server, "echo mine").stdout == b"mine\n"
    assert server.wait("login")["key:pty"] is True


# ---- several proofs -----------------------------------------------------------------------------


def proven(shop, server, *, second=None, password=None):
    """Partial success by a key, then another or a password; returns the connection."""
    raw = Raw(server.port)
    raw.handshake()
    raw.service()
    names, partial = failure(raw.public_key("alice", shop.key("user")))
    assert partial
    reply = (raw.public_key("alice", second) if second
             else raw.password("alice", password))
    assert reply[0] == 52, reply
    return raw


def test_key_then_key(shop, serve):
    """The first is accepted with no-pty; the second, without options, does not give it back."""
    server = serve(key=shop.key("user") + ".pub", second=shop.key("other") + ".pub",
                   options='no-pty,command="echo forced"')
    with proven(shop, server, second=shop.key("other")) as raw:
        granted = server.wait("login")
        assert granted["key:pty"] is False and granted["key:agent-forwarding"] is True
        ours, theirs, _, _ = raw.open_session()
        raw.channel_request(theirs, "pty-req", string("xterm"), u32(80), u32(24), u32(0), u32(0),
                            string(""))
        raw.expect(100)
        raw.channel_request(theirs, "exec", string("echo mine"))
        raw.expect(CHANNEL_SUCCESS)
        assert server.wait("start")["command"] == "echo forced"


def test_key_then_password(shop, serve):
    server = serve(key=shop.key("user") + ".pub", password="secret", options="no-port-forwarding")
    with proven(shop, server, password="secret"):
        granted = server.wait("login")
        assert granted["key:port-forwarding"] is False and granted["key:pty"] is True


def test_query_leaves_nothing(shop, serve):
    """Neither a query nor a failed attempt with a restricted key has an effect on the next key."""
    key, other = shop.key("user"), shop.key("other")
    server = serve(authorized=shop.authorized(
        ('restrict,command="echo one"', key), ("", other),
    ))
    with Raw(server.port) as raw:
        raw.handshake()
        raw.service()
        assert raw.public_key("alice", key, signed=False)[0] == 60
        failure(raw.public_key("alice", key, spoil=True))
        assert raw.public_key("alice", key, signed=False)[0] == 60
        assert raw.public_key("alice", other)[0] == 52
        granted = server.wait("login")
        assert granted["key:pty"] is True and "key:command:0" not in granted


def test_partial_of_another_user_leaves_nothing(shop, serve):
    server = serve(key=shop.key("user") + ".pub", second=shop.key("other") + ".pub",
                   options="restrict")
    with Raw(server.port) as raw:
        raw.handshake()
        raw.service()
        assert failure(raw.public_key("alice", shop.key("user")))[1]
        failure(raw.none("bob"))
        assert not failure(raw.public_key("bob", shop.key("other")))[1]
        assert failure(raw.public_key("alice", shop.key("user")))[1]
        assert raw.public_key("alice", shop.key("other"))[0] == 52
        assert server.wait("login")["key:pty"] is False
