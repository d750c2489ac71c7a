/* The transport, message by message: version lines, packet lengths, guesses, strict key exchange,
 * extension info, rekeying from both sides, ping, time-outs (RFC 4253, RFC 8308). */
#include "support/client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void begin(test_client *c, const sp_protocol_options *options)
{
    client_init(c);
    client_start(c, options);
}

/* ---- version exchange (RFC 4253 4.2) ---- */

static void takes_good_version_lines(void **unused)
{
    (void)unused;
    static const char *const good[] = {"SSH-2.0-x\r\n", "SSH-2.0-x\n", "SSH-2.0-a b c_1.0\r\n"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        test_client c;
        begin(&c, NULL);
        client_raw(&c, good[i], strlen(good[i]));
        assert_false(c.closed);
        assert_non_null(sp_engine_peer_version(c.engine));
        assert_memory_equal(sp_engine_peer_version(c.engine), "SSH-2.0-", 8);
        client_free(&c);
    }
}

static void refuses_bad_version_lines(void **unused)
{
    (void)unused;
    static const char *const bad[] = {"GET / HTTP/1.0\r\n",
                                      "SSH-1.5-old\r\n",
                                      "SSH-1.99-old\r\n",
                                      "SSH-2.0-\r\n",
                                      "hello\r\nSSH-2.0-x\r\n",
                                      "SSH-2.0-x\x01y\r\n",
                                      "SSH-2.0-\xff\r\n",
                                      "\r\n",
                                      "X"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        test_client c;
        begin(&c, NULL);
        client_raw(&c, bad[i], strlen(bad[i]));
        assert_true(c.closed);
        assert_int_equal(c.closed_error, SP_EPROTO);
        assert_non_null(memmem(c.in.data, c.in.length, "Invalid SSH", 11));
        client_free(&c);
    }
}

static void bounds_the_version_line(void **unused)
{
    (void)unused;
    char line[300];
    memset(line, 'a', sizeof line);
    memcpy(line, "SSH-2.0-", 8);

    test_client c;
    begin(&c, NULL);
    line[253] = '\r';
    line[254] = '\n';
    client_raw(&c, line, 255);
    assert_false(c.closed);
    client_free(&c);

    begin(&c, NULL);
    line[253] = line[254] = 'a';
    client_raw(&c, line, 255);
    assert_true(c.closed);
    client_free(&c);
}

/* ---- packets ---- */

static void refuses_bad_packet_lengths(void **unused)
{
    (void)unused;
    static const uint32_t lengths[] = {0, 1, 4, 11, 13, 35001, 0x7fffffff, 0xffffffff};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        test_client c;
        uint8_t head[8] = {0};
        begin(&c, NULL);
        client_version(&c);
        spb_put_u32(head, lengths[i]);
        client_raw(&c, head, sizeof head);
        assert_true(c.closed);
        assert_int_equal(c.closed_error, SP_EPROTO);
        client_free(&c);
    }
}

static void refuses_a_changed_packet(void **unused)
{
    (void)unused;
    static const char *const ciphers[] = {"aes128-gcm@openssh.com", "chacha20-poly1305@openssh.com",
                                          "aes256-ctr"};
    for (size_t i = 0; i < sizeof ciphers / sizeof ciphers[0]; i++) {
        test_client c;
        client_init(&c);
        c.cipher = ciphers[i];
        client_start(&c, NULL);
        client_handshake(&c);
        uint8_t plain[32] = {0, 0, 0, 28, 20, SSH_MSG_IGNORE};
        uint8_t sealed[128];
        if (spc_protection_clear_length(c.seal) == 4 && spc_protection_block(c.seal) == 16)
            spb_put_u32(plain, 32 - 4 - 12); /* one block behind the length field */
        size_t whole = 4 + spb_get_u32(plain);
        plain[4] = (uint8_t)(whole - 4 - 1 - 5);
        if (c.cipher[0] == 'c') { /* chacha20: blocks of 8 behind the length */
            whole = 28;
            spb_put_u32(plain, 24);
            plain[4] = 24 - 1 - 5;
        }
        spb_span span = {plain, whole};
        assert_true(spc_seal(c.seal, c.seal_sequence, &span, 1, sealed));
        size_t total = whole + spc_protection_tag(c.seal);
        sealed[total - 1] ^= 1;
        client_raw(&c, sealed, total);
        assert_true(c.closed);
        assert_int_equal(c.closed_error, SP_EMAC);
        client_free(&c);
    }
}

/* ---- negotiation ---- */

static void logs_in_with_each_cipher_and_mac(void **unused)
{
    (void)unused;
    for (size_t i = 0; spc_cipher_at(i) != NULL; i++) {
        for (size_t j = 0; spc_mac_at(j) != NULL; j++) {
            test_client c;
            client_init(&c);
            c.cipher = spc_cipher_at(i)->name;
            c.mac = spc_mac_at(j)->name;
            client_start(&c, NULL);
            client_login(&c);
            sp_algorithms a;
            assert_int_equal(sp_engine_algorithms(c.engine, &a), 0);
            assert_string_equal(a.cipher_in, c.cipher);
            assert_string_equal(a.mac_out, spc_cipher_at(i)->tag_length > 0 ? "<implicit>" : c.mac);
            assert_true(a.strict_kex);
            client_free(&c);
        }
    }
}

static void says_what_is_not_in_common(void **unused)
{
    (void)unused;
    test_client c;
    client_init(&c);
    c.cipher = "3des-cbc";
    client_start(&c, NULL);
    client_version(&c);
    client_kexinit(&c);
    assert_true(c.closed);
    assert_int_equal(c.closed_error, SP_ENEGOTIATE);
    assert_non_null(strstr(c.closed_text, "3des-cbc"));
    client_free(&c);
}

/* A wrong guess's packet is dropped; a right one's is used (RFC 4253 7). */
static void drops_a_wrong_guess(void **unused)
{
    (void)unused;
    test_client c;
    client_init(&c);
    c.guess = true;
    c.kex_names = "pigeon-sha256,curve25519-sha256";
    client_start(&c, NULL);
    client_version(&c);
    client_kexinit(&c);
    client_send(&c, SSH_MSG_KEX_ECDH_INIT, "\0\0\0\1x", 5); /* for the method guessed */
    assert_false(c.closed);
    client_kex_init(&c);
    client_newkeys(&c);
    client_service(&c);
    client_free(&c);
}

static void uses_a_right_guess(void **unused)
{
    (void)unused;
    test_client c;
    client_init(&c);
    c.guess = true;
    client_start(&c, NULL);
    client_version(&c);
    client_kexinit(&c);
    client_kex_init(&c);
    client_newkeys(&c);
    client_service(&c);
    client_free(&c);
}

static void drops_only_one_packet_for_a_guess(void **unused)
{
    (void)unused;
    test_client c;
    client_init(&c);
    c.guess = true;
    c.kex_names = "pigeon-sha256,curve25519-sha256";
    client_start(&c, NULL);
    client_version(&c);
    client_kexinit(&c);
    client_send(&c, SSH_MSG_KEX_ECDH_INIT, "\0\0\0\1x", 5);
    client_send(&c, SSH_MSG_KEX_ECDH_INIT, "\0\0\0\1x", 5);
    assert_true(c.closed);
    client_free(&c);
}

/* A packet before KEXINIT is fine until the client turns out to be strict (Terrapin). */
static void strict_refuses_a_packet_before_kexinit(void **unused)
{
    (void)unused;
    for (int strict = 0; strict < 2; strict++) {
        test_client c;
        client_init(&c);
        c.strict = strict == 1;
        client_start(&c, NULL);
        client_version(&c);
        client_send(&c, SSH_MSG_IGNORE, "\0\0\0\0", 4);
        assert_false(c.closed);
        client_kexinit(&c);
        assert_int_equal(c.closed, strict == 1);
        client_free(&c);
    }
}

static void refuses_the_zero_point(void **unused)
{
    (void)unused;
    test_client c;
    uint8_t message[36] = {0, 0, 0, 32};
    begin(&c, NULL);
    client_version(&c);
    client_kexinit(&c);
    client_send(&c, SSH_MSG_KEX_ECDH_INIT, message, sizeof message);
    assert_true(c.closed);
    assert_non_null(strstr(c.closed_text, "bad public value"));
    client_free(&c);
}

static void refuses_cut_kexinits(void **unused)
{
    (void)unused;
    test_client c;
    begin(&c, NULL);
    client_version(&c);
    client_kexinit(&c);
    spb_buffer whole;
    client_buffer(&c, &whole);
    spw_bytes(&whole, c.our_kexinit.data + 1, c.our_kexinit.length - 1);
    client_free(&c);
    for (size_t cut = 0; cut < whole.length; cut++) {
        begin(&c, NULL);
        client_version(&c);
        client_send(&c, SSH_MSG_KEXINIT, whole.data, cut);
        assert_true(c.closed);
        assert_int_equal(c.closed_error, SP_EPROTO);
        client_free(&c);
    }
    spb_buffer_free(&whole);
}

static void sends_ext_info_when_asked(void **unused)
{
    (void)unused;
    for (int asked = 0; asked < 2; asked++) {
        test_client c;
        client_init(&c);
        c.ext_info = asked == 1;
        client_start(&c, NULL);
        client_handshake(&c);
        bool came = client_receive(&c);
        assert_int_equal(came, asked == 1);
        if (came) {
            assert_int_equal(c.message, SSH_MSG_EXT_INFO);
            spb_reader r = client_reader(&c);
            assert_int_equal(spr_u32(&r), 3);
            assert_true(spb_span_is(spr_string(&r), "server-sig-algs"));
            assert_true(spb_span_is(spr_string(&r), sp_default_algorithms("sig")));
            assert_true(spb_span_is(spr_string(&r), "publickey-hostbound@openssh.com"));
            assert_true(spb_span_is(spr_string(&r), "0"));
            assert_true(spb_span_is(spr_string(&r), "ping@openssh.com"));
            assert_true(spb_span_is(spr_string(&r), "0"));
            assert_true(spr_done(&r));
        }
        client_free(&c);
    }
}

/* ---- rekeying ---- */

static void echo_back(test_client *c, const sp_event *event)
{
    if (event->type == SP_EVENT_DATA)
        (void)sp_engine_write(c->engine, event->channel, SP_DATA_NORMAL, event->u.data.bytes,
                              event->u.data.length);
    client_default_event(c, event);
}

static void start_shell(test_client *c, uint32_t channel)
{
    spb_buffer b;
    client_buffer(c, &b);
    spw_u32(&b, channel);
    spw_cstring(&b, "shell");
    spw_bool(&b, true);
    client_send_buffer(c, SSH_MSG_CHANNEL_REQUEST, &b);
    assert_true(client_expect(c, SSH_MSG_CHANNEL_SUCCESS));
}

static void send_data(test_client *c, uint32_t channel, const char *text)
{
    spb_buffer b;
    client_buffer(c, &b);
    spw_u32(&b, channel);
    spw_cstring(&b, text);
    client_send_buffer(c, SSH_MSG_CHANNEL_DATA, &b);
}

static void expect_data(test_client *c, const char *text)
{
    assert_true(client_expect(c, SSH_MSG_CHANNEL_DATA));
    spb_reader r = client_reader(c);
    assert_int_equal(spr_u32(&r), 7);
    assert_true(spb_span_is(spr_string(&r), text));
}

/* The client starts; its data goes on until its KEXINIT, ours until the exchange's end. */
static void client_rekeys_with_data_in_flight(void **unused)
{
    (void)unused;
    test_client c;
    client_init(&c);
    c.on_event = echo_back;
    client_start(&c, NULL);
    client_login(&c);
    uint32_t channel = client_open_session(&c);
    start_shell(&c, channel);
    send_data(&c, channel, "before");
    client_kexinit(&c);
    /* Written in the middle: held until the new keys. */
    assert_int_equal(sp_engine_write(c.engine, channel, SP_DATA_NORMAL, "middle", 6), 6);
    expect_data(&c, "before");
    client_kex_init(&c);
    client_newkeys(&c);
    expect_data(&c, "middle");
    send_data(&c, channel, "after");
    expect_data(&c, "after");
    assert_int_equal(c.events[SP_EVENT_KEYS], 2);
    client_free(&c);
}

static void server_rekeys_with_data_in_flight(void **unused)
{
    (void)unused;
    test_client c;
    client_init(&c);
    c.on_event = echo_back;
    client_start(&c, NULL);
    client_login(&c);
    uint32_t channel = client_open_session(&c);
    start_shell(&c, channel);
    assert_int_equal(sp_engine_rekey(c.engine), 0);
    assert_int_equal(sp_engine_rekey(c.engine), 0); /* once is enough */
    /* The client has not seen our KEXINIT yet: its data is good, the echo waits. */
    send_data(&c, channel, "crossing");
    client_kexinit(&c);
    client_kex_init(&c);
    client_newkeys(&c);
    expect_data(&c, "crossing");
    assert_int_equal(c.events[SP_EVENT_KEYS], 2);
    client_free(&c);
}

/* Against RFC 4253 7.1, but AsyncSSH does it; before login the gate lets nothing of the kind pass.
 */
static void data_after_its_kexinit_is_taken(void **unused)
{
    (void)unused;
    test_client c;
    begin(&c, NULL);
    client_login(&c);
    uint32_t channel = client_open_session(&c);
    start_shell(&c, channel);
    client_kexinit(&c);
    send_data(&c, channel, "early");
    client_kex_init(&c);
    send_data(&c, channel, ", between");
    client_newkeys(&c);
    send_data(&c, channel, ", after");
    assert_false(c.closed);
    assert_int_equal(c.received.length, 21);
    assert_memory_equal(c.received.data, "early, between, after", 21);
    client_free(&c);
}

static void rekeys_after_bytes_and_after_time(void **unused)
{
    (void)unused;
    test_client c;
    sp_protocol_options o = {SP_PROTOCOL_OPTIONS_INIT};
    o.rekey_bytes = 4096;
    o.rekey_seconds = 100;
    begin(&c, &o);
    client_login(&c);
    uint32_t channel = client_open_session(&c);
    start_shell(&c, channel);
    char text[3001];
    memset(text, 'x', 3000);
    text[3000] = '\0';
    send_data(&c, channel, text);
    send_data(&c, channel, text);
    client_take_kexinit(&c); /* unasked */
    client_kexinit(&c);
    client_kex_init(&c);
    client_newkeys(&c);
    assert_int_equal(c.events[SP_EVENT_KEYS], 2);

    sp_engine_tick(c.engine, c.now + 99000);
    client_pump(&c);
    while (client_receive(&c))
        assert_int_not_equal(c.message, SSH_MSG_KEXINIT);
    assert_true(sp_engine_deadline(c.engine) <= c.now + 100000);
    sp_engine_tick(c.engine, c.now + 100000);
    client_take_kexinit(&c); /* unasked */
    client_kexinit(&c);
    client_kex_init(&c);
    client_newkeys(&c);
    assert_int_equal(c.events[SP_EVENT_KEYS], 3);
    client_free(&c);
}

static void no_rekeying_before_the_first_keys(void **unused)
{
    (void)unused;
    test_client c;
    begin(&c, NULL);
    assert_int_equal(sp_engine_rekey(c.engine), SP_ESTATE);
    client_free(&c);
}

static void too_many_exchanges_before_authentication(void **unused)
{
    (void)unused;
    test_client c;
    begin(&c, NULL);
    client_handshake(&c);
    for (int i = 0; i < 7; i++) {
        client_kexinit(&c);
        client_kex_init(&c);
        client_newkeys(&c);
        assert_false(c.closed);
    }
    client_kexinit(&c);
    assert_true(c.closed);
    assert_int_equal(c.closed_error, SP_ELIMIT);
    client_free(&c);
}

/* ---- the other messages ---- */

static void answers_ping(void **unused)
{
    (void)unused;
    test_client c;
    begin(&c, NULL);
    client_handshake(&c);
    client_send(&c, SSH_MSG_PING, "\0\0\0\3abc", 7);
    assert_true(client_expect(&c, SSH_MSG_PONG));
    assert_int_equal(c.payload.length, 7);
    assert_memory_equal(c.payload.data, "\0\0\0\3abc", 7);
    client_free(&c);
}

static void delivers_debug_if_it_is_utf8(void **unused)
{
    (void)unused;
    test_client c;
    begin(&c, NULL);
    client_handshake(&c);
    spb_buffer b;
    client_buffer(&c, &b);
    spw_bool(&b, true);
    spw_cstring(&b, "gr\xc3\xbc\xc3\x9f");
    spw_cstring(&b, "de");
    client_send_buffer(&c, SSH_MSG_DEBUG, &b);
    assert_int_equal(c.events[SP_EVENT_DEBUG], 1);
    client_buffer(&c, &b);
    spw_bool(&b, true);
    spw_cstring(&b, "\xff\xfe");
    spw_cstring(&b, "");
    client_send_buffer(&c, SSH_MSG_DEBUG, &b);
    assert_int_equal(c.events[SP_EVENT_DEBUG], 1);
    assert_false(c.closed);
    client_free(&c);
}

static void refuses_other_services(void **unused)
{
    (void)unused;
    test_client c;
    begin(&c, NULL);
    client_handshake(&c);
    spb_buffer b;
    client_buffer(&c, &b);
    spw_cstring(&b, "ssh-connection");
    client_send_buffer(&c, SSH_MSG_SERVICE_REQUEST, &b);
    assert_true(c.closed);
    while (client_receive(&c) && c.message != SSH_MSG_DISCONNECT) {
    }
    assert_int_equal(c.message, SSH_MSG_DISCONNECT);
    spb_reader r = client_reader(&c);
    assert_int_equal(spr_u32(&r), SP_DISCONNECT_SERVICE_NOT_AVAILABLE);
    client_free(&c);
}

static void a_service_may_be_requested_again(void **unused)
{
    (void)unused;
    test_client c;
    begin(&c, NULL);
    client_handshake(&c);
    client_service(&c);
    client_service(&c);
    assert_false(c.closed);
    client_free(&c);
}

static void disconnect_tells_who_and_why(void **unused)
{
    (void)unused;
    test_client c;
    begin(&c, NULL);
    client_handshake(&c);
    spb_buffer b;
    client_buffer(&c, &b);
    spw_u32(&b, 2);
    spw_cstring(&b, "going\x1b[31m");
    spw_cstring(&b, "");
    client_send_buffer(&c, SSH_MSG_DISCONNECT, &b);
    assert_true(c.closed);
    assert_int_equal(c.closed_error, SP_EDISCONNECT);
    assert_string_equal(c.closed_text, "going?[31m");
    client_free(&c);

    /* By the user's wish: a clean end. */
    begin(&c, NULL);
    client_handshake(&c);
    client_buffer(&c, &b);
    spw_u32(&b, SP_DISCONNECT_BY_APPLICATION);
    spw_cstring(&b, "bye");
    spw_cstring(&b, "");
    client_send_buffer(&c, SSH_MSG_DISCONNECT, &b);
    assert_true(c.closed);
    assert_int_equal(c.closed_error, 0);
    client_free(&c);
}

static void login_has_a_deadline(void **unused)
{
    (void)unused;
    test_client c;
    sp_protocol_options o = {SP_PROTOCOL_OPTIONS_INIT};
    o.login_timeout_ms = 5000;
    begin(&c, &o);
    client_handshake(&c);
    client_service(&c);
    assert_int_equal(sp_engine_deadline(c.engine), 6000);
    sp_engine_tick(c.engine, 5999);
    client_pump(&c);
    assert_false(c.closed);
    sp_engine_tick(c.engine, 6000);
    client_pump(&c);
    assert_true(c.closed);
    assert_int_equal(c.closed_error, SP_ETIMEDOUT);
    client_free(&c);

    begin(&c, &o);
    client_login(&c);
    sp_engine_tick(c.engine, 60000);
    client_pump(&c);
    assert_false(c.closed);
    client_free(&c);
}

static void keepalives_find_a_silent_client(void **unused)
{
    (void)unused;
    test_client c;
    sp_protocol_options o = {SP_PROTOCOL_OPTIONS_INIT};
    o.keepalive_interval_ms = 1000;
    o.keepalive_count = 2;
    begin(&c, &o);
    client_login(&c);
    uint64_t now = c.now;
    for (int i = 0; i < 2; i++) {
        now = sp_engine_deadline(c.engine);
        sp_engine_tick(c.engine, now);
        assert_true(client_expect(&c, SSH_MSG_GLOBAL_REQUEST));
        assert_false(c.closed);
    }
    /* An answer starts the count anew. */
    client_send(&c, SSH_MSG_REQUEST_FAILURE, NULL, 0);
    client_send(&c, SSH_MSG_REQUEST_FAILURE, NULL, 0);
    for (int i = 0; i < 2; i++) {
        now = sp_engine_deadline(c.engine);
        sp_engine_tick(c.engine, now);
        client_pump(&c);
        assert_false(c.closed);
    }
    sp_engine_tick(c.engine, sp_engine_deadline(c.engine));
    client_pump(&c);
    assert_true(c.closed);
    assert_int_equal(c.closed_error, SP_ETIMEDOUT);
    client_free(&c);
}

static void data_before_login_has_a_budget(void **unused)
{
    (void)unused;
    test_client c;
    begin(&c, NULL);
    client_handshake(&c);
    static uint8_t payload[30000] = {0, 0, 0x75, 0x2c}; /* a string of 29996 bytes */
    for (int i = 0; i < 40 && !c.closed; i++)
        client_send(&c, SSH_MSG_IGNORE, payload, sizeof payload);
    assert_true(c.closed);
    assert_int_equal(c.closed_error, SP_ELIMIT);
    client_free(&c);
}

/* Replies pile up while nobody reads them: then no more input is taken. */
static void stops_reading_before_it_queues(void **unused)
{
    (void)unused;
    test_client c;
    begin(&c, NULL);
    client_login(&c);
    static uint8_t ping[30000] = {0, 0, 0x75, 0x2c};
    sp_event event;
    size_t sent = 0;
    while (sp_engine_wants_input(c.engine) && sent < 1000) {
        uint8_t plain[30048] = {0};
        uint8_t sealed[30100];
        spb_put_u32(plain, 30032);
        plain[4] = 30032 - 2 - sizeof ping;
        plain[5] = SSH_MSG_PING;
        memcpy(plain + 6, ping, sizeof ping);
        spb_span span = {plain, 4 + 30032};
        assert_true(spc_seal(c.seal, c.seal_sequence++, &span, 1, sealed));
        size_t total = 4 + 30032 + spc_protection_tag(c.seal);
        for (size_t at = 0; at < total;) {
            int n = sp_engine_receive(c.engine, sealed + at, total - at);
            if (n < 0)
                break;
            at += (size_t)n;
            while (sp_engine_next_event(c.engine, &event) == 1) {
            }
        }
        sent++;
    }
    assert_true(sent > 10 && sent < 100);
    assert_true(sp_engine_output_length(c.engine) < 2 * 1024 * 1024);
    client_pump(&c);
    assert_true(sp_engine_wants_input(c.engine));
    assert_false(c.closed);
    client_free(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_good_version_lines),
        cmocka_unit_test(refuses_bad_version_lines),
        cmocka_unit_test(bounds_the_version_line),
        cmocka_unit_test(refuses_bad_packet_lengths),
        cmocka_unit_test(refuses_a_changed_packet),
        cmocka_unit_test(logs_in_with_each_cipher_and_mac),
        cmocka_unit_test(says_what_is_not_in_common),
        cmocka_unit_test(drops_a_wrong_guess),
        cmocka_unit_test(uses_a_right_guess),
        cmocka_unit_test(drops_only_one_packet_for_a_guess),
        cmocka_unit_test(strict_refuses_a_packet_before_kexinit),
        cmocka_unit_test(refuses_the_zero_point),
        cmocka_unit_test(refuses_cut_kexinits),
        cmocka_unit_test(sends_ext_info_when_asked),
        cmocka_unit_test(client_rekeys_with_data_in_flight),
        cmocka_unit_test(server_rekeys_with_data_in_flight),
        cmocka_unit_test(data_after_its_kexinit_is_taken),
        cmocka_unit_test(rekeys_after_bytes_and_after_time),
        cmocka_unit_test(no_rekeying_before_the_first_keys),
        cmocka_unit_test(too_many_exchanges_before_authentication),
        cmocka_unit_test(answers_ping),
        cmocka_unit_test(delivers_debug_if_it_is_utf8),
        cmocka_unit_test(refuses_other_services),
        cmocka_unit_test(a_service_may_be_requested_again),
        cmocka_unit_test(disconnect_tells_who_and_why),
        cmocka_unit_test(login_has_a_deadline),
        cmocka_unit_test(keepalives_find_a_silent_client),
        cmocka_unit_test(data_before_login_has_a_budget),
        cmocka_unit_test(stops_reading_before_it_queues),
    };
    return cmocka_run_group_tests_name("engine_transport", tests, NULL, NULL);
}
