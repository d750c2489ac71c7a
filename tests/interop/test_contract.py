"""Rows of the handler contract that no other file shows: named after the row and its form
(tests/handlers/rows.txt)."""

import socket

import pytest

from rawssh import (
    CHANNEL_CLOSE,
    CHANNEL_DATA,
    CHANNEL_FAILURE,
    CHANNEL_SUCCESS,
    DEBUG,
    INFO_REQUEST,
    WINDOW_ADJUST,
    Raw,
    Reader,
    boolean,
    failure,
    string,
    u32,
)

USER = ("user", "secret")


@pytest.fixture
def login(server):
    made = []

    def start(user="user", to=None, **options):
        raw = Raw((to or server).port, login=(user, "secret"), **options)
        made.append(raw)
        return raw

    yield start
    for raw in made:
        raw.sock.close()


@pytest.fixture
def connect(server):
    made = []

    def start(to=None):
        raw = Raw((to or server).port).handshake()
        made.append(raw)
        raw.service()
        return raw

    yield start
    for raw in made:
        raw.sock.close()


def output(raw, theirs):
    """All that a channel prints."""
    text = b""
    while (payload := raw.receive())[0] != CHANNEL_CLOSE:
        if payload[0] == CHANNEL_DATA:
            text += Reader(payload[5:]).string()
    raw.send(bytes([CHANNEL_CLOSE]) + u32(theirs))
    return text.decode()


# ---- connections --------------------------------------------------------------------------------


def test_connection_made_before_the_version(server):
    """A connection from which nothing has come yet."""
    with socket.create_connection(("127.0.0.1", server.port)):
        server.wait("made")


def test_connection_lost_once_and_last(server, login):
    """One for each connection_made, behind all that concerns its channels."""
    for _ in range(3):
        raw = login()
        raw.run("hold")
        raw.sock.close()
    for conn in [event["conn"] for event in server.seen("made")]:
        server.wait("lost", conn=conn)
    server.order("stats")
    for event in server.seen("made"):
        assert len(server.seen("lost", conn=event["conn"])) == 1
        of_conn = [e["event"] for e in server.out.items if e.get("conn") == event["conn"]]
        assert of_conn[0] == "made" and of_conn[-1] == "lost" and "channel_lost" in of_conn


def test_connection_lost_clean(server, login):
    login().send(b"\1" + u32(11) + string("bye") + string(""))
    assert server.wait("lost")["error"] is None


def test_connection_lost_by_the_peer(server, login):
    """Its DISCONNECT: code and text."""
    login().send(b"\1" + u32(99) + string("my own reasons") + string(""))
    event = server.wait("lost")
    assert (event["code"], event["from_peer"], event["message"]) == (99, True, "my own reasons")


def test_connection_lost_io_error(server, login):
    login().sock.close()
    event = server.wait("lost")
    assert event["error"] is not None and not event["from_peer"]


def test_connection_lost_protocol_error(server, login):
    raw = login()
    raw.data(77, b"for no channel")
    assert raw.expect_closed().code == 2
    event = server.wait("lost")
    assert event["error"] is not None and not event["from_peer"] and event["code"] == 2


def test_connection_lost_time_out(start_server):
    server = start_server("--login-timeout", 300)
    with socket.create_connection(("127.0.0.1", server.port)):
        assert server.wait("lost")["error"] == "timed out"


def test_debug_msg_received_default(start_server, login):
    """Absent: ignored."""
    raw = login(to=start_server("--absent", "debug_msg_received"))
    raw.send(bytes([DEBUG]) + boolean(True) + string("hello") + string(""))
    raw.run("exit 0")


# ---- authentication -----------------------------------------------------------------------------


def test_public_key_auth_supported_changes(connect):
    """Asked again for each failure's list."""
    raw = connect()
    name = "pw-reject.pk-accept.limitpk-1"
    assert failure(raw.none(name))[0] == ["publickey", "password"]
    assert failure(raw.password(name, "1"))[0] == ["password"]


def test_kbdint_auth_supported_changes(connect):
    raw = connect()
    name = "pw-reject.kbd-one.limitkbd-1"
    assert failure(raw.none(name))[0] == ["password", "keyboard-interactive"]
    assert failure(raw.password(name, "1"))[0] == ["password"]


def test_change_password_partial(connect):
    raw = connect()
    name = "pw-required.change-partial.kbd-accept"
    raw.password(name, "secret")
    assert failure(raw.password(name, "secret", "better")) == (["keyboard-interactive"], True)


def test_get_kbdint_challenge_partial(connect):
    raw = connect()
    name = "kbd-partial.pw-accept"
    assert failure(raw.kbdint(name)) == (["password"], True)


def test_validate_kbdint_response_partial(connect):
    raw = connect()
    name = "kbd-one.resp-partial.pw-accept"
    assert raw.kbdint(name)[0] == INFO_REQUEST
    assert failure(raw.respond("x")) == (["password"], True)


def test_validate_kbdint_response_released(connect):
    raw = connect()
    assert raw.kbdint("kbd-one.resp-release-later")[0] == INFO_REQUEST
    assert not failure(raw.respond("123456"))[1]


def test_change_password_released(connect):
    raw = connect()
    name = "pw-required.change-release-later"
    assert not failure(raw.password(name, "secret", "better"))[1]


def test_auth_completed_released(server, connect):
    """Nobody answered: the login does not count."""
    raw = connect()
    raw.password("pw-accept.done-release-later", "x")
    raw.open()
    assert raw.expect_closed().code is not None
    assert not server.seen("question", handler="session_requested")


def test_failure_does_not_tell_who_exists(server, connect):
    """A name that nobody has, and one with a wrong password: the same answer."""
    answers = []
    for name in ("user", "nobody"):
        raw = connect()
        answers.append((raw.none(name), raw.password(name, "wrong")))
    assert answers[0] == answers[1]


# ---- sessions -----------------------------------------------------------------------------------


def test_break_received_later_after_disconnect(server, login):
    raw = login("pw-check.brk-accept-gone")
    _, theirs = raw.run("tell")
    raw.channel_request(theirs, "break", u32(500))
    server.wait("question", handler="break_received")
    raw.sock.close()
    server.wait("lost")
    assert server.wait("answer", handler="break_received")["result"] == "SP_ECONN"


@pytest.mark.parametrize("when", ["twice", "twicenow"])
def test_break_received_answered_twice(server, login, when):
    raw = login(f"pw-check.brk-accept-{when}")
    _, theirs = raw.run("tell")
    raw.channel_request(theirs, "break", u32(500))
    raw.expect(CHANNEL_SUCCESS, skip=(CHANNEL_DATA,))
    answer = server.wait("answer", handler="break_received")
    assert (answer["result"], answer["second"]) == ("ok", "SP_EALREADY")


def test_session_handlers_in_order(server, login):
    """connection_made first, then session_started, eof_received, and connection_lost last."""
    raw = login()
    _, theirs = raw.run("sink")
    raw.data(theirs, b"x")
    raw.send(bytes([96]) + u32(theirs))
    output(raw, theirs)
    server.wait("channel_lost", command="sink", error=None)
    names = [e["event"] for e in server.seen_all()]
    order = [n for n in names if n in ("channel_made", "started", "eof", "channel_lost")]
    assert order == ["channel_made", "started", "eof", "channel_lost"]


def test_session_connection_lost_with_an_error(server, login):
    raw = login()
    raw.run("hold")
    raw.sock.close()
    assert server.wait("channel_lost", command="hold")["error"] is not None


def test_pause_and_resume_writing(server, login):
    """Told to stop when the peer takes nothing, and to go on when it does."""
    raw = login()
    _, theirs, _, _ = raw.open_session(window=0)
    raw.channel_request(theirs, "exec", string("flood 3000000"))
    raw.expect(CHANNEL_SUCCESS)
    server.wait("pause")
    assert not server.seen("resume")
    raw.send(bytes([WINDOW_ADJUST]) + u32(theirs) + u32(3000000))
    assert len(output(raw, theirs)) == 3000000
    server.wait("resume")


def test_get_environment(login):
    raw = login()
    _, theirs, _, _ = raw.open_session()
    raw.channel_request(theirs, "env", string("COLOUR") + string("blue"))
    raw.expect(CHANNEL_SUCCESS)
    raw.channel_request(theirs, "exec", string("getenv COLOUR"))
    raw.expect(CHANNEL_SUCCESS)
    assert output(raw, theirs) == "blue\n"
    _, theirs = raw.run("getenv COLOUR")  # of another channel
    assert output(raw, theirs) == "(null)\n"


def test_get_command_and_subsystem(server, login):
    login().run("print of a command")
    server.wait("started", command="print of a command")
    raw = login()
    _, theirs, _, _ = raw.open_session()
    raw.channel_request(theirs, "subsystem", string("hold"))
    raw.expect(CHANNEL_SUCCESS)
    server.wait("started", command="hold")


def test_is_closing_and_wait_closed(server, login):
    raw = login()
    _, theirs = raw.run("closing")
    event = server.wait("closing")
    assert (event["before"], event["after"]) == (False, True)
    assert not server.seen("waited")  # the client has not closed yet
    raw.expect(CHANNEL_CLOSE, skip=(96, 98))
    raw.send(bytes([CHANNEL_CLOSE]) + u32(theirs))
    server.wait("waited")
    names = [e["event"] for e in server.seen_all()]
    assert names.index("channel_lost") < names.index("waited")


def test_channel_abort(server, login):
    """Closes without the exit status, and without what waits to be sent."""
    raw = login()
    _, theirs = raw.run("abort")
    assert output(raw, theirs) == ""
    server.wait("channel_lost", command="abort")


def test_channel_close(server, login):
    raw = login()
    _, theirs = raw.run("close")
    assert output(raw, theirs) == ""
    server.wait("channel_lost", command="close")


# ---- the server object --------------------------------------------------------------------------


def test_window_and_packet_sizes(start_server, login):
    raw = login(to=start_server("--window", 40000, "--packet", 5000))
    _, _, window, packet = raw.open_session()
    assert (window, packet) == (40000, 5000)


def test_signature_algorithms(start_server, connect, keys):
    """Told by EXT_INFO (RFC 8308 3.1), and no other is taken."""
    server = start_server("--signatures", "rsa-sha2-512")
    raw = Raw(server.port).handshake()
    reader = Reader(raw.expect(7)[1:])
    extensions = {reader.text(): reader.text() for _ in range(reader.u32())}
    assert extensions["server-sig-algs"] == "rsa-sha2-512"
    raw.sock.close()
    assert not failure(connect(server).public_key("pk-accept", keys.user()))[1]


def test_conn_close_and_abort(server, login):
    raw = login()
    raw.run("connclose")
    assert raw.expect_closed().code == 11
    server.wait("lost")
    raw = login()
    _, theirs, _, _ = raw.open_session()
    raw.channel_request(theirs, "exec", string("connabort"), reply=False)
    assert raw.expect_closed().code is None  # the socket is dropped, nothing is said
    server.wait("lost", conn=server.seen("made")[-1]["conn"])


def test_requests_of_one_connection_do_not_wait_for_another(server, login):
    """One user's question is open; another logs in and runs commands."""
    raw = login("pw-check.exec-accept-held")
    _, theirs, _, _ = raw.open_session()
    raw.channel_request(theirs, "exec", string("exit 0"))
    server.wait("question", handler="exec_requested", username="pw-check.exec-accept-held")
    _, other = (second := login()).run("print meanwhile")
    assert output(second, other) == "meanwhile\n"
    server.order("answer")
    assert raw.expect(CHANNEL_SUCCESS, CHANNEL_FAILURE)[0] == CHANNEL_SUCCESS
