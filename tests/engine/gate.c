/* Each message number 0-255 in each state of the engine: what really happens to a message sent by a
 * client in memory is compared with the expectation written down here, on its own, by hand. */
#include "support/client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum outcome {
    FATAL,         /* disconnected by the gate: "not allowed here" */
    UNIMPLEMENTED, /* answered with UNIMPLEMENTED */
    SILENT,        /* dropped; the connection goes on */
    HANDLED,       /* reached its handler: a reply, an event, or that handler's own complaint */
};

typedef struct state {
    const char *name;
    bool strict;
    void (*reach)(test_client *c);
    const char *handled;       /* numbers and ranges */
    const char *unimplemented; /* the same; everything else is fatal */
    const char *silent;
    bool after_login;
} state;

static const sp_protocol_options options = {SP_PROTOCOL_OPTIONS_INIT, .preset = "compatible"};

static void at_first_kexinit(test_client *c)
{
    client_version(c);
}

static void at_first_kex(test_client *c)
{
    client_version(c);
    client_kexinit(c);
}

static void at_first_newkeys(test_client *c)
{
    client_version(c);
    client_kexinit(c);
    client_kex_init(c);
}

static void at_service_first(test_client *c)
{
    client_handshake(c);
}

static void at_service(test_client *c)
{
    client_handshake(c);
    client_send(c, SSH_MSG_IGNORE, "\0\0\0\0", 4);
}

static void at_auth(test_client *c)
{
    client_handshake(c);
    client_service(c);
}

static void at_connection(test_client *c)
{
    client_login(c);
}

static void at_early_rekey_kex(test_client *c)
{
    at_auth(c);
    client_kexinit(c);
}

static void at_early_rekey_newkeys(test_client *c)
{
    at_auth(c);
    client_kexinit(c);
    client_kex_init(c);
}

/* ---- group exchange ---- */

#define GROUP_EXCHANGE "diffie-hellman-group-exchange-sha256"

static void at_gex_request(test_client *c)
{
    c->kex_names = GROUP_EXCHANGE;
    client_version(c);
    client_kexinit(c);
}

static void at_gex_init(test_client *c)
{
    at_gex_request(c);
    client_gex_request(c);
}

static void at_gex_newkeys(test_client *c)
{
    at_gex_request(c);
    client_kex_init(c);
}

static void at_early_rekey_gex_request(test_client *c)
{
    at_auth(c);
    c->kex_names = GROUP_EXCHANGE;
    client_kexinit(c);
}

static void at_early_rekey_gex_init(test_client *c)
{
    at_early_rekey_gex_request(c);
    client_gex_request(c);
}

static void at_rekey_gex_request(test_client *c)
{
    client_login(c);
    c->kex_names = GROUP_EXCHANGE;
    client_kexinit(c);
}

static void at_rekey_gex_init(test_client *c)
{
    at_rekey_gex_request(c);
    client_gex_request(c);
}

static void at_rekey_gex_newkeys(test_client *c)
{
    at_rekey_gex_request(c);
    client_kex_init(c);
}

static void at_rekey_kex(test_client *c)
{
    client_login(c);
    client_kexinit(c);
}

static void at_rekey_newkeys(test_client *c)
{
    client_login(c);
    client_kexinit(c);
    client_kex_init(c);
}

/* Written from the RFCs, not from the gate's table. */
static const state states[] = {
    {"first kexinit", false, at_first_kexinit, "1-4,20", "", "", false},
    {"first kexinit, strict client", true, at_first_kexinit, "1-4,20", "", "", false},
    {"first kex", false, at_first_kex, "1-4,30", "", "", false},
    {"first kex, strict", true, at_first_kex, "1,30", "", "", false},
    {"first newkeys", false, at_first_newkeys, "1-4,21", "", "", false},
    {"first newkeys, strict", true, at_first_newkeys, "1,21", "", "", false},
    {"service, first message", true, at_service_first, "1-5,7,20,192", "9-19,22-29,128-191,194-255",
     "", false},
    {"service", true, at_service, "1-5,20,192", "9-19,22-29,128-191,194-255", "", false},
    {"auth", true, at_auth, "1-5,20,50,60-79,192", "9-19,22-29,54-59,128-191,194-255", "", false},
    {"connection", true, at_connection, "1-4,20,80-82,90-100,192",
     "9-19,22-29,54-59,83-89,101-191,194-255", "50", true},
    {"rekey kex before login", true, at_early_rekey_kex, "1-4,30", "", "", false},
    {"rekey newkeys before login", true, at_early_rekey_newkeys, "1-4,21", "", "", false},
    {"rekey kex", true, at_rekey_kex, "1-4,30,80-82,90-100", "", "", true},
    {"rekey newkeys", true, at_rekey_newkeys, "1-4,21,80-82,90-100", "", "", true},
    {"group request", false, at_gex_request, "1-4,34", "", "", false},
    {"group request, strict", true, at_gex_request, "1,34", "", "", false},
    {"group init", false, at_gex_init, "1-4,32", "", "", false},
    {"group init, strict", true, at_gex_init, "1,32", "", "", false},
    {"group newkeys", false, at_gex_newkeys, "1-4,21", "", "", false},
    {"group newkeys, strict", true, at_gex_newkeys, "1,21", "", "", false},
    {"rekey group request before login", true, at_early_rekey_gex_request, "1-4,34", "", "", false},
    {"rekey group init before login", true, at_early_rekey_gex_init, "1-4,32", "", "", false},
    {"rekey group request", true, at_rekey_gex_request, "1-4,34,80-82,90-100", "", "", true},
    {"rekey group init", true, at_rekey_gex_init, "1-4,32,80-82,90-100", "", "", true},
    {"rekey group newkeys", true, at_rekey_gex_newkeys, "1-4,21,80-82,90-100", "", "", true},
};

static bool in_ranges(const char *ranges, unsigned n)
{
    const char *p = ranges;

    while (*p != '\0') {
        unsigned first, last;
        int used = 0;
        if (sscanf(p, "%u-%u%n", &first, &last, &used) == 2 && used > 0) {
            p += used;
        } else {
            assert_int_equal(sscanf(p, "%u%n", &first, &used), 1);
            last = first;
            p += used;
        }
        if (n >= first && n <= last)
            return true;
        if (*p == ',')
            p++;
    }
    return false;
}

static enum outcome expected(const state *s, unsigned n)
{
    if (in_ranges(s->handled, n))
        return HANDLED;
    if (in_ranges(s->unimplemented, n))
        return UNIMPLEMENTED;
    if (in_ranges(s->silent, n))
        return SILENT;
    return FATAL;
}

static enum outcome observed(test_client *c, uint8_t n)
{
    char denied[64];
    bool replied = false;

    while (client_receive(c)) {
    }
    unsigned before = 0;
    for (size_t i = 0; i < 64; i++)
        before += c->events[i];
    client_send(c, n, NULL, 0);
    snprintf(denied, sizeof denied, "message %u is not allowed here", (unsigned)n);
    while (client_receive(c)) {
        if (c->message == SSH_MSG_UNIMPLEMENTED) {
            spb_reader r = client_reader(c);
            assert_int_equal(spr_u32(&r), c->seal_sequence - 1);
            return UNIMPLEMENTED;
        }
        replied = true;
    }
    if (c->closed && strcmp(c->closed_text, denied) == 0) {
        assert_int_equal(c->closed_error, SP_EPROTO);
        return FATAL;
    }
    unsigned after = 0;
    for (size_t i = 0; i < 64; i++)
        after += c->events[i];
    if (c->closed || replied || after != before)
        return HANDLED;
    return SILENT;
}

static void each_message_in_each_state(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
        const state *s = &states[i];
        for (unsigned n = 0; n < 256; n++) {
            test_client c;
            client_init(&c);
            c.strict = s->strict;
            client_start(&c, &options);
            s->reach(&c);
            enum outcome got = observed(&c, (uint8_t)n);
            enum outcome want = expected(s, n);
            /* An empty IGNORE, UNIMPLEMENTED or the like is handled in silence. */
            if (want == HANDLED && got == SILENT && (n == 2 || n == 3 || n == 21))
                got = HANDLED;
            if (got != want)
                fail_msg("state \"%s\", message %u: got %d, want %d (%s)", s->name, n, (int)got,
                         (int)want, c.closed_text);
            client_free(&c);
        }
    }
}

/* Nothing of the connection protocol is reached before authentication is accepted. */
static void no_channel_before_authentication(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
        const state *s = &states[i];
        if (s->after_login)
            continue;
        for (unsigned n = 80; n < 128; n++) {
            test_client c;
            client_init(&c);
            c.strict = s->strict;
            client_start(&c, &options);
            s->reach(&c);
            client_send(&c, (uint8_t)n, NULL, 0);
            assert_true(c.closed);
            assert_int_equal(c.events[SP_EVENT_OPEN], 0);
            client_free(&c);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_message_in_each_state),
        cmocka_unit_test(no_channel_before_authentication),
    };
    return cmocka_run_group_tests_name("engine_gate", tests, NULL, NULL);
}
