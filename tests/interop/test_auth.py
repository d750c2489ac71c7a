"""Each row of the handler contract's authentication table in each of its forms:

    test_auth_<handler>_<default | accept | reject | later | later_after_disconnect | answered_twice>

and the forms that a row has besides. The user's name tells the contract server how to answer
(tests/tools/contract)."""

import pytest

from rawssh import (
    INFO_REQUEST,
    PASSWD_CHANGEREQ,
    PK_OK,
    USERAUTH_FAILURE,
    USERAUTH_SUCCESS,
    Closed,
    Raw,
    Reader,
    boolean,
    failure,
    string,
)

LATER = ["later", "thread", "work", "call"]


@pytest.fixture
def connect(server):
    """Connections that are ready for authentication, to `server` or another."""
    made = []

    def start(to=None, **options):
        raw = Raw((to or server).port, **options)
        made.append(raw)
        raw.handshake()
        raw.service()
        return raw

    yield start
    for raw in made:
        raw.sock.close()


def succeeds(payload):
    assert payload[0] == USERAUTH_SUCCESS, payload
    return True


def fails(payload, *methods):
    names, partial = failure(payload)
    assert not partial
    if methods:
        assert sorted(names) == sorted(methods)
    return True


def after_disconnect(server, raw, ask, handler):
    """The client leaves while the question is open; the answer then says so."""
    ask(raw)
    server.wait("question", handler=handler)
    raw.sock.close()
    server.wait("lost")
    assert server.wait("answer", handler=handler)["result"] == "SP_ECONN"


def answered_twice(server, handler):
    answer = server.wait("answer", handler=handler)
    assert (answer["result"], answer["second"]) == ("ok", "SP_EALREADY")


# ---- begin_auth ---------------------------------------------------------------------------------


def test_auth_begin_auth_default(start_server, connect):
    """Absent: authentication is required."""
    server = start_server("--absent", "begin_auth")
    fails(connect(server).none("user"), "publickey", "password", "keyboard-interactive")


def test_auth_begin_auth_accept(server, connect):
    succeeds(connect().none("begin-accept"))


def test_auth_begin_auth_accept_any_method(server, connect):
    """Not required: succeeds at once, whatever the client tries first."""
    succeeds(connect().password("begin-accept", "whatever"))
    assert not server.seen("question", handler="validate_password")


def test_auth_begin_auth_reject(server, connect):
    fails(connect().none("begin-reject.pw-accept"), "password")


@pytest.mark.parametrize("when", LATER)
def test_auth_begin_auth_later(server, connect, when):
    succeeds(connect().none(f"begin-accept-{when}"))
    raw = connect()
    fails(raw.none(f"begin-reject-{when}.pw-accept"), "password")
    succeeds(raw.password(f"begin-reject-{when}.pw-accept", "x"))
    assert len(server.seen("question", handler="begin_auth")) == 2  # once for each name


def test_auth_begin_auth_released(server, connect):
    """Released unanswered: refused, so authentication is required."""
    fails(connect().none("begin-release-later.pw-accept"), "password")


def test_auth_begin_auth_garbage(server, connect):
    fails(connect().none("begin-garbage.pw-accept"), "password")


def test_auth_begin_auth_later_after_disconnect(server, connect):
    after_disconnect(
        server, connect(), lambda raw: raw.request("begin-accept-gone", "none"), "begin_auth"
    )


@pytest.mark.parametrize("when", ["twice", "twicenow"])
def test_auth_begin_auth_answered_twice(server, connect, when):
    succeeds(connect().none(f"begin-accept-{when}"))
    answered_twice(server, "begin_auth")


def test_auth_begin_auth_for_each_user(server, connect):
    raw = connect()
    fails(raw.none("pw-accept"))
    fails(raw.none("kbd-one"), "keyboard-interactive")
    fails(raw.none("pw-accept"), "password")
    names = [e["username"] for e in server.seen("question", handler="begin_auth")]
    assert names == ["pw-accept", "kbd-one", "pw-accept"]


# ---- public_key_auth_supported, password_auth_supported, kbdint_auth_supported ------------------


def test_auth_public_key_auth_supported_default(start_server, connect, keys):
    server = start_server("--absent", "public_key_auth_supported")
    raw = connect(server)
    assert "publickey" not in failure(raw.none("pk-accept.pw-accept"))[0]
    fails(raw.public_key("pk-accept.pw-accept", keys.user()))
    assert not server.seen("question", handler="validate_public_key")


def test_auth_public_key_auth_supported_accept(connect):
    assert failure(connect().none("pk-accept"))[0] == ["publickey"]


def test_auth_public_key_auth_supported_reject(server, connect, keys):
    """Not offered, and refused when a client tries it all the same."""
    raw = connect()
    fails(raw.none("pk-accept.pw-accept.off-pk"), "password")
    fails(raw.public_key("pk-accept.pw-accept.off-pk", keys.user()), "password")
    fails(raw.public_key("pk-accept.pw-accept.off-pk", keys.user(), signed=False), "password")
    assert not server.seen("question", handler="validate_public_key")


def test_auth_password_auth_supported_default(start_server, connect):
    server = start_server("--absent", "password_auth_supported")
    raw = connect(server)
    fails(raw.none("pk-accept.pw-accept"), "publickey")
    fails(raw.password("pk-accept.pw-accept", "x"), "publickey")
    assert not server.seen("question", handler="validate_password")


def test_auth_password_auth_supported_accept(connect):
    assert failure(connect().none("pw-accept"))[0] == ["password"]


def test_auth_password_auth_supported_reject(server, connect):
    raw = connect()
    fails(raw.password("pw-accept.pk-accept.off-pw", "x"), "publickey")
    fails(raw.password("pw-accept.pk-accept.off-pw", "old", "new"), "publickey")
    assert not server.seen("question", handler="validate_password")
    assert not server.seen("question", handler="change_password")


def test_auth_password_auth_supported_changes(connect):
    """Asked again each time, so that attempts can be limited by turning it off."""
    raw = connect()
    name = "pw-reject.pk-reject.limit-2"
    fails(raw.password(name, "1"), "password", "publickey")
    fails(raw.password(name, "2"), "publickey")
    fails(raw.password(name, "3"), "publickey")


def test_auth_kbdint_auth_supported_default(start_server, connect):
    """Absent: as password, so it is offered when passwords are."""
    server = start_server("--absent", "kbdint_auth_supported")
    raw = connect(server)
    fails(raw.none("pw-check"), "password", "keyboard-interactive")
    request = raw.kbdint("pw-check")
    reader = Reader(request[1:])
    assert (reader.text(), reader.text(), reader.text()) == ("", "", "")
    assert (reader.u32(), reader.text(), reader.boolean()) == (1, "Password: ", False)
    succeeds(raw.respond("secret"))
    server.wait("question", handler="validate_password", text="secret")


def test_auth_kbdint_auth_supported_default_without_passwords(start_server, connect):
    server = start_server("--absent", "kbdint_auth_supported")
    fails(connect(server).none("pk-accept"), "publickey")
    fails(connect(server).kbdint("pk-accept"), "publickey")


def test_auth_kbdint_auth_supported_accept(connect):
    assert failure(connect().none("kbd-one"))[0] == ["keyboard-interactive"]


def test_auth_kbdint_auth_supported_reject(server, connect):
    raw = connect()
    fails(raw.kbdint("kbd-accept.pw-accept.off-kbd"), "password")
    assert not server.seen("question", handler="get_kbdint_challenge")


def test_auth_kbdint_as_password_change_required(server, connect):
    """There is no way to change it here: refused."""
    raw = connect()
    assert raw.kbdint("pw-required.aspw")[0] == INFO_REQUEST
    fails(raw.respond("secret"))


@pytest.mark.parametrize("responses", [[], ["secret", "secret"], [""]])
def test_auth_kbdint_as_password_wrong_count(server, connect, responses):
    raw = connect()
    assert raw.kbdint("user")[0] == INFO_REQUEST
    fails(raw.respond(*responses))


# ---- validate_public_key ------------------------------------------------------------------------


def test_auth_validate_public_key_default(start_server, connect, keys):
    server = start_server("--absent", "validate_public_key")
    raw = connect(server)
    fails(raw.public_key("pk-accept", keys.user(), signed=False))
    fails(raw.public_key("pk-accept", keys.user()))


def test_auth_validate_public_key_accept(server, connect, keys):
    raw = connect()
    reply = raw.public_key("pk-accept", keys.user(), signed=False)
    assert reply[0] == PK_OK
    reader = Reader(reply[1:])
    assert reader.text() == "ssh-ed25519"
    assert Reader(reader.string()).text() == "ssh-ed25519"
    succeeds(raw.public_key("pk-accept", keys.user()))
    assert [e["signed"] for e in server.seen("question", handler="validate_public_key")] == [
        False,
        True,
    ]


def test_auth_validate_public_key_reject(connect, keys):
    raw = connect()
    fails(raw.public_key("pk-reject", keys.user(), signed=False))
    fails(raw.public_key("pk-reject", keys.user()))


def test_auth_validate_public_key_many_keys(server, connect, keys):
    raw = connect()
    fails(raw.public_key("user", keys.stranger(), signed=False))
    assert raw.public_key("user", keys.user(), signed=False)[0] == PK_OK
    fails(raw.public_key("user", keys.stranger()))  # what was offered leaves no trace
    succeeds(raw.public_key("user", keys.user()))


def test_auth_validate_public_key_bad_signature(connect, keys):
    raw = connect()
    fails(raw.public_key("pk-accept", keys.user(), spoil=True))
    succeeds(raw.public_key("pk-accept", keys.user()))


@pytest.mark.parametrize("algorithm", ["ssh-rsa", "rsa-sha2-512", "ecdsa-sha2-nistp256", "none", ""])
def test_auth_validate_public_key_wrong_algorithm(server, connect, keys, algorithm):
    """The algorithm must fit the key."""
    fails(connect().public_key("pk-accept", keys.user(), algorithm=algorithm or "x"))
    fails(connect().public_key("pk-accept", keys.user(), algorithm=algorithm or "x", signed=False))
    assert not server.seen("login")


def test_auth_validate_public_key_not_enabled(start_server, connect, keys):
    """Signature algorithms that are not enabled are refused, not only unadvertised."""
    server = start_server("--signatures", "rsa-sha2-256")
    fails(connect(server).public_key("pk-accept", keys.user()))
    assert not server.seen("login")


@pytest.mark.parametrize("when", LATER)
def test_auth_validate_public_key_later(connect, keys, when):
    raw = connect()
    assert raw.public_key(f"pk-accept-{when}", keys.user(), signed=False)[0] == PK_OK
    succeeds(raw.public_key(f"pk-accept-{when}", keys.user()))
    fails(connect().public_key(f"pk-reject-{when}", keys.user()))


def test_auth_validate_public_key_later_bad_signature(server, connect, keys):
    """A yes that comes later does not make a bad signature good."""
    fails(connect().public_key("pk-accept-later", keys.user(), spoil=True))
    assert not server.seen("login")


def test_auth_validate_public_key_released(connect, keys):
    fails(connect().public_key("pk-release-later", keys.user()))


def test_auth_validate_public_key_garbage(connect, keys):
    fails(connect().public_key("pk-garbage", keys.user()))


def test_auth_validate_public_key_wrong_form(server, connect, keys):
    """A challenge is no answer to this question: SP_EINVAL, and the question stays open."""
    succeeds(connect().public_key("pk-wrong", keys.user()))
    assert server.wait("answer")["result"] == "SP_EINVAL"


def test_auth_validate_public_key_later_after_disconnect(server, connect, keys):
    blob = string("ssh-ed25519") + string(b"\x58" + bytes([0x66]) * 31)  # RFC 8032's base point

    def ask(raw):
        raw.request(
            "pk-accept-gone", "publickey", boolean(False), string("ssh-ed25519"), string(blob)
        )

    after_disconnect(server, connect(), ask, "validate_public_key")


@pytest.mark.parametrize("when", ["twice", "twicenow"])
def test_auth_validate_public_key_answered_twice(server, connect, keys, when):
    succeeds(connect().public_key(f"pk-accept-{when}", keys.user()))
    answered_twice(server, "validate_public_key")


@pytest.mark.parametrize("when", ["twice", "twicenow"])
def test_auth_validate_public_key_refused_twice(server, connect, keys, when):
    """No, and then yes: it stays no."""
    fails(connect().public_key(f"pk-reject-{when}", keys.user()))
    answered_twice(server, "validate_public_key")
    assert not server.seen("login")


# ---- validate_password --------------------------------------------------------------------------


def test_auth_validate_password_default(start_server, connect):
    server = start_server("--absent", "validate_password")
    fails(connect(server).password("pw-accept", "x"))


def test_auth_validate_password_accept(connect):
    succeeds(connect().password("pw-accept", "x"))


def test_auth_validate_password_reject(connect):
    raw = connect()
    fails(raw.password("pw-reject", "x"))
    fails(raw.password("pw-reject", "y"))


def test_auth_validate_password_change_required(connect):
    reply = connect().password("pw-required", "x")
    assert reply[0] == PASSWD_CHANGEREQ
    reader = Reader(reply[1:])
    assert (reader.text(), reader.text()) == ("Choose a new password: ", "en")


@pytest.mark.parametrize("when", LATER)
def test_auth_validate_password_later(connect, when):
    succeeds(connect().password(f"pw-accept-{when}", "x"))
    fails(connect().password(f"pw-reject-{when}", "x"))
    assert connect().password(f"pw-required-{when}", "x")[0] == PASSWD_CHANGEREQ


def test_auth_validate_password_released(connect):
    fails(connect().password("pw-release-later", "x"))


def test_auth_validate_password_garbage(connect):
    fails(connect().password("pw-garbage", "x"))


def test_auth_validate_password_wrong_form(server, connect):
    succeeds(connect().password("pw-wrong", "x"))
    assert server.wait("answer")["result"] == "SP_EINVAL"


def test_auth_validate_password_later_after_disconnect(server, connect):
    after_disconnect(
        server,
        connect(),
        lambda raw: raw.request("pw-accept-gone", "password", boolean(False), string("x")),
        "validate_password",
    )


@pytest.mark.parametrize("when", ["twice", "twicenow"])
def test_auth_validate_password_answered_twice(server, connect, when):
    succeeds(connect().password(f"pw-accept-{when}", "x"))
    answered_twice(server, "validate_password")


@pytest.mark.parametrize("when", ["twice", "twicenow"])
def test_auth_validate_password_refused_twice(server, connect, when):
    fails(connect().password(f"pw-reject-{when}", "x"))
    answered_twice(server, "validate_password")
    assert not server.seen("login")


def test_auth_validate_password_prepared(server, connect):
    """SASLprep: a non-ASCII space becomes a space, a soft hyphen nothing."""
    succeeds(connect().password("pw-accept", "a\u00a0b\u00adc"))
    assert server.wait("question", handler="validate_password")["text"] == "a bc"


@pytest.mark.parametrize("password", [b"\xff\xfe", b"a\0b", b"\xc0\x80"])
def test_auth_validate_password_not_utf8(server, connect, password):
    fails(connect().password("pw-accept", password))
    assert not server.seen("login")


# ---- change_password ----------------------------------------------------------------------------


def test_auth_change_password_default(start_server, connect):
    server = start_server("--absent", "change_password")
    raw = connect(server)
    assert raw.password("pw-required", "secret")[0] == PASSWD_CHANGEREQ
    fails(raw.password("pw-required", "secret", "better"))


def test_auth_change_password_accept(server, connect):
    raw = connect()
    assert raw.password("pw-required.change-accept", "secret")[0] == PASSWD_CHANGEREQ
    succeeds(raw.password("pw-required.change-accept", "secret", "better"))
    server.wait("question", handler="change_password", text="secret", new="better")


def test_auth_change_password_reject(connect):
    raw = connect()
    assert raw.password("pw-required.change-reject", "secret")[0] == PASSWD_CHANGEREQ
    fails(raw.password("pw-required.change-reject", "secret", "better"))


def test_auth_change_password_required_again(connect):
    raw = connect()
    assert raw.password("pw-required.change-again", "secret")[0] == PASSWD_CHANGEREQ
    assert raw.password("pw-required.change-again", "secret", "worse")[0] == PASSWD_CHANGEREQ
    succeeds(raw.password("pw-required.change-again", "secret", "better"))


def test_auth_change_password_unasked(connect):
    """RFC 4252 8: a client may ask for a change by itself."""
    succeeds(connect().password("pw-check.change-check", "secret", "better"))


@pytest.mark.parametrize("when", LATER)
def test_auth_change_password_later(connect, when):
    succeeds(connect().password(f"pw-required.change-accept-{when}", "secret", "better"))
    fails(connect().password(f"pw-required.change-reject-{when}", "secret", "better"))
    reply = connect().password(f"pw-required.change-required-{when}", "secret", "better")
    assert reply[0] == PASSWD_CHANGEREQ


def test_auth_change_password_later_after_disconnect(server, connect):
    after_disconnect(
        server,
        connect(),
        lambda raw: raw.request(
            "pw-required.change-accept-gone", "password", boolean(True), string("a"), string("b")
        ),
        "change_password",
    )


@pytest.mark.parametrize("when", ["twice", "twicenow"])
def test_auth_change_password_answered_twice(server, connect, when):
    succeeds(connect().password(f"pw-required.change-accept-{when}", "secret", "better"))
    answered_twice(server, "change_password")


# ---- get_kbdint_challenge -----------------------------------------------------------------------


def test_auth_get_kbdint_challenge_default(start_server, connect):
    server = start_server("--absent", "get_kbdint_challenge")
    fails(connect(server).kbdint("kbd-one"))


def test_auth_get_kbdint_challenge_accept(connect):
    succeeds(connect().kbdint("kbd-accept"))


def test_auth_get_kbdint_challenge_reject(connect):
    fails(connect().kbdint("kbd-reject"))


def test_auth_get_kbdint_challenge_challenge(connect):
    raw = connect()
    reader = Reader(raw.kbdint("kbd-two")[1:])
    assert (reader.text(), reader.text(), reader.text()) == ("First", "", "")
    assert reader.u32() == 2
    assert (reader.text(), reader.boolean()) == ("Colour: ", True)
    assert (reader.text(), reader.boolean()) == ("Word: ", False)
    reader = Reader(raw.respond("blue", "fish")[1:])
    assert (reader.text(), reader.text(), reader.text()) == ("Second", "And now", "")
    succeeds(raw.respond("654321"))


@pytest.mark.parametrize("when", LATER)
def test_auth_get_kbdint_challenge_later(connect, when):
    succeeds(connect().kbdint(f"kbd-accept-{when}"))
    fails(connect().kbdint(f"kbd-reject-{when}"))
    raw = connect()
    assert raw.kbdint(f"kbd-one-{when}")[0] == INFO_REQUEST
    succeeds(raw.respond("123456"))


def test_auth_get_kbdint_challenge_released(connect):
    fails(connect().kbdint("kbd-release-later"))


def test_auth_get_kbdint_challenge_later_after_disconnect(server, connect):
    after_disconnect(
        server,
        connect(),
        lambda raw: raw.request(
            "kbd-one-gone", "keyboard-interactive", string(""), string("")
        ),
        "get_kbdint_challenge",
    )


@pytest.mark.parametrize("when", ["twice", "twicenow"])
def test_auth_get_kbdint_challenge_answered_twice(server, connect, when):
    raw = connect()
    assert raw.kbdint(f"kbd-one-{when}")[0] == INFO_REQUEST
    answered_twice(server, "get_kbdint_challenge")
    succeeds(raw.respond("123456"))


# ---- validate_kbdint_response -------------------------------------------------------------------


def test_auth_validate_kbdint_response_default(start_server, connect):
    server = start_server("--absent", "validate_kbdint_response")
    raw = connect(server)
    assert raw.kbdint("kbd-one")[0] == INFO_REQUEST
    fails(raw.respond("123456"))


def test_auth_validate_kbdint_response_accept(connect):
    raw = connect()
    assert raw.kbdint("kbd-one.resp-accept")[0] == INFO_REQUEST
    succeeds(raw.respond("anything"))


def test_auth_validate_kbdint_response_reject(connect):
    raw = connect()
    assert raw.kbdint("kbd-one.resp-reject")[0] == INFO_REQUEST
    fails(raw.respond("123456"))


def test_auth_validate_kbdint_response_rounds(connect):
    raw = connect()
    raw.kbdint("kbd-many")
    for response in "abcd":
        assert raw.respond(response)[0] == INFO_REQUEST
    succeeds(raw.respond("e"))


def test_auth_validate_kbdint_response_no_prompts(server, connect):
    """A challenge with no prompts shows a message and comes back with no responses."""
    raw = connect()
    reader = Reader(raw.kbdint("kbd-empty")[1:])
    assert (reader.text(), reader.text(), reader.text()) == ("Note", "Nothing to type here", "")
    assert reader.u32() == 0
    assert raw.respond()[0] == INFO_REQUEST
    succeeds(raw.respond("123456"))


@pytest.mark.parametrize("responses", [[], ["123456", "x"], ["123456"] * 40])
def test_auth_validate_kbdint_response_wrong_count(server, connect, responses):
    """RFC 4256 3.4: refused, whatever the application would say."""
    raw = connect()
    assert raw.kbdint("kbd-one.resp-accept")[0] == INFO_REQUEST
    fails(raw.respond(*responses))
    assert not server.seen("question", handler="validate_kbdint_response")


@pytest.mark.parametrize("when", LATER)
def test_auth_validate_kbdint_response_later(connect, when):
    raw = connect()
    raw.kbdint(f"kbd-one.resp-accept-{when}")
    succeeds(raw.respond("x"))
    raw = connect()
    raw.kbdint(f"kbd-one.resp-reject-{when}")
    fails(raw.respond("123456"))
    raw = connect()
    raw.kbdint(f"kbd-one.resp-one-{when}")
    assert raw.respond("x")[0] == INFO_REQUEST


def test_auth_validate_kbdint_response_later_after_disconnect(server, connect):
    def ask(raw):
        raw.kbdint("kbd-one.resp-accept-gone")
        raw.send(bytes([61]) + b"\0\0\0\1" + string("x"))

    after_disconnect(server, connect(), ask, "validate_kbdint_response")


@pytest.mark.parametrize("when", ["twice", "twicenow"])
def test_auth_validate_kbdint_response_answered_twice(server, connect, when):
    raw = connect()
    raw.kbdint(f"kbd-one.resp-accept-{when}")
    succeeds(raw.respond("x"))
    answered_twice(server, "validate_kbdint_response")


# ---- auth_completed -----------------------------------------------------------------------------


def test_auth_auth_completed_default(start_server, connect):
    server = start_server("--absent", "auth_completed")
    raw = connect(server)
    succeeds(raw.password("pw-accept", "x"))
    raw.open_session()


def test_auth_auth_completed_accept(server, connect):
    raw = connect()
    succeeds(raw.password("pw-accept.done-accept", "x"))
    raw.open_session()


def test_auth_auth_completed_reject(server, connect):
    """The last word: the connection ends, and no channel was served."""
    raw = connect()
    raw.request("pw-accept.done-reject", "password", boolean(False), string("x"))
    raw.open()
    closed = raw.expect_closed()
    assert closed.code is not None
    assert not server.seen("question", handler="session_requested")


@pytest.mark.parametrize("when", LATER)
def test_auth_auth_completed_later(server, connect, when):
    """Channels wait for it, and none is lost."""
    raw = connect()
    succeeds(raw.password(f"pw-accept.done-accept-{when}", "x"))
    raw.open_session()


def test_auth_auth_completed_holds_channels(server, connect):
    raw = connect()
    succeeds(raw.password("pw-accept.done-accept-held", "x"))
    raw.open()
    server.wait("question", handler="auth_completed")
    server.order("stats")  # a turn of the loop
    assert not server.seen("question", handler="session_requested")
    server.order("answer")
    raw.expect(91)


def test_auth_auth_completed_later_after_disconnect(server, connect):
    after_disconnect(
        server, connect(), lambda raw: raw.password("pw-accept.done-accept-gone", "x"),
        "auth_completed",
    )


@pytest.mark.parametrize("when", ["twice", "twicenow"])
def test_auth_auth_completed_answered_twice(server, connect, when):
    raw = connect()
    succeeds(raw.password(f"pw-accept.done-accept-{when}", "x"))
    answered_twice(server, "auth_completed")
    raw.open_session()


# ---- partial success ----------------------------------------------------------------------------


def test_auth_partial_success(connect, keys):
    raw = connect()
    methods, partial = failure(raw.public_key("pk-partial.pw-check", keys.user()))
    assert partial and "password" in methods
    fails(raw.public_key("pk-partial.pw-check", keys.user()))  # the same key proves no more
    succeeds(raw.password("pk-partial.pw-check", "secret"))


def test_auth_partial_success_twice(connect, keys):
    """What succeeded is not offered again."""
    raw = connect()
    methods, partial = failure(raw.password("pw-partial.kbd-one", "x"))
    assert partial and methods == ["keyboard-interactive"]
    fails(raw.password("pw-partial.kbd-one", "x"), "keyboard-interactive")


def test_auth_partial_success_is_for_one_user(connect, keys):
    """Another user name begins anew."""
    raw = connect()
    assert failure(raw.public_key("pk-partial.pw-check", keys.user()))[1]
    fails(raw.password("pk-partial.pw-reject", "secret"))
    assert failure(raw.none("pk-partial.pw-check")) == (["publickey", "password"], False)


@pytest.mark.parametrize("when", LATER)
def test_auth_partial_success_later(connect, when):
    raw = connect()
    name = f"pw-partial-{when}.kbd-one"
    methods, partial = failure(raw.password(name, "x"))
    assert partial and methods == ["keyboard-interactive"]
    raw.kbdint(name)
    succeeds(raw.respond("123456"))


def test_auth_partial_success_of_query(connect, keys):
    """A query proves nothing: no partial success for it."""
    raw = connect()
    reply = raw.public_key("pk-partial.pw-check", keys.user(), signed=False)
    assert reply[0] == PK_OK or not failure(reply)[1]


# ---- the rules around them ----------------------------------------------------------------------


def test_auth_newer_request_abandons_older(server, connect):
    """RFC 4252 5.1: the older gets no answer any more, and the application learns it."""
    raw = connect()
    raw.request("pw-accept-held.kbd-accept", "password", boolean(False), string("x"))
    server.wait("question", handler="validate_password")
    succeeds(raw.kbdint("pw-accept-held.kbd-accept"))
    server.order("answer")
    assert server.wait("answer", handler="validate_password")["result"] == "SP_ECONN"


def test_auth_abandoned_answer_does_not_count(server, connect):
    raw = connect()
    raw.request("pw-accept-held.kbd-reject", "password", boolean(False), string("x"))
    server.wait("question", handler="validate_password")
    fails(raw.kbdint("pw-accept-held.kbd-reject"))
    server.order("answer")
    fails(raw.kbdint("pw-accept-held.kbd-reject"))
    assert not server.seen("login")


def test_auth_attempts_are_limited(start_server, connect):
    server = start_server("--max-attempts", 3)
    raw = connect(server)
    fails(raw.none("user"))  # the first "none" asks for the list
    fails(raw.password("user", "1"))
    fails(raw.password("user", "2"))
    with pytest.raises(Closed) as closed:
        raw.password("user", "3")
        raw.password("user", "4")
    assert closed.value.code in (2, 14)
    server.wait("lost")


def test_auth_unknown_method(connect):
    fails(connect_and(connect, "hostbased", string("x")))


def connect_and(connect, method, *more):
    raw = connect()
    raw.request("user", method, *more)
    return raw.answer()


def test_auth_unknown_service(connect):
    raw = connect()
    raw.request("user", "none", service="ssh-files")
    assert raw.expect_closed().code == 7


def test_auth_requests_after_success_are_ignored(server, connect):
    raw = connect()
    succeeds(raw.password("user", "secret"))
    raw.request("user", "password", boolean(False), string("wrong"))
    raw.request("other", "none")
    raw.open_session()  # the next answer is to this
    assert len(server.seen("question", handler="validate_password")) == 1


def test_auth_service_request_again(connect):
    """Some clients send one for each attempt."""
    raw = connect()
    fails(raw.password("user", "wrong"))
    raw.service()
    succeeds(raw.password("user", "secret"))


@pytest.mark.parametrize("name", [b"\xff", b"a\0b", b"x" * 70000])
def test_auth_bad_user_name(server, connect, name):
    raw = connect()
    raw.request(name, "none")
    try:
        fails(raw.answer())
    except Closed as closed:
        assert closed.code is not None
    assert not server.seen("login")


def test_auth_user_name_with_trailing_garbage(connect):
    raw = connect()
    raw.request("user", "password", boolean(False), string("secret"), b"more")
    try:
        assert raw.answer()[0] == USERAUTH_FAILURE
    except Closed as closed:
        assert closed.code == 2


def test_auth_response_without_challenge(server, connect):
    raw = connect()
    raw.send(bytes([61]) + b"\0\0\0\0")
    try:
        payload = raw.receive()
        assert payload[0] in (3, 51), payload
    except Closed as closed:
        assert closed.code == 2
    assert not server.seen("login")
