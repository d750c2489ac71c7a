/* Fuzzer: messages under keys. The first byte picks the state to reach (keys, authentication,
 * logged in, a session open), then each record of the input (number, length, bytes) is sent as a
 * proper packet, so that every parser behind the packet layer is reached. */
#include "../engine/support/client.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static sp_key *host_key;
static bool let_in;

/* Answers at random, steered by the input's own bytes through the question's number. */
static void react(test_client *c, const sp_event *event)
{
    sp_auth_reply reply = {.verdict = (sp_auth_verdict)(event->question % 5)};
    static const sp_prompt prompts[2] = {{"One: ", true}, {"Two: ", false}};
    static const sp_challenge challenge = {
        .name = "n", .instructions = "i", .prompts = prompts, .prompt_count = 2};

    reply.challenge = &challenge;
    reply.prompt = "new";
    switch (event->type) {
    case SP_EVENT_AUTH_BEGIN:
        reply.verdict = let_in ? SP_AUTH_ACCEPT : SP_AUTH_REJECT;
        (void)sp_engine_answer_auth(c->engine, event->question, &reply);
        break;
    case SP_EVENT_AUTH_PUBLIC_KEY:
    case SP_EVENT_AUTH_PASSWORD:
    case SP_EVENT_AUTH_CHANGE_PASSWORD:
    case SP_EVENT_AUTH_KBDINT:
    case SP_EVENT_AUTH_KBDINT_RESPONSE:
        if (sp_engine_answer_auth(c->engine, event->question, &reply) == SP_EINVAL) {
            reply.verdict = SP_AUTH_REJECT;
            (void)sp_engine_answer_auth(c->engine, event->question, &reply);
        }
        break;
    case SP_EVENT_DATA:
        (void)sp_engine_write(c->engine, event->channel, event->u.data.type & 1,
                              event->u.data.bytes, event->u.data.length);
        break;
    case SP_EVENT_EOF:
        (void)sp_engine_exit(c->engine, event->channel, 1);
        break;
    default:
        client_default_event(c, event);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    test_client c;
    sp_protocol_options o = {SP_PROTOCOL_OPTIONS_INIT};

    if (size == 0)
        return 0;
    if (host_key == NULL && sp_key_generate(&host_key, SP_KEY_ED25519, 0) != 0)
        abort();
    o.host_keys = &host_key;
    o.host_key_count = 1;
    client_init(&c);
    c.on_event = react;
    client_start(&c, &o);
    let_in = (data[0] & 3) >= 2;
    client_handshake(&c);
    if ((data[0] & 3) == 1)
        client_service(&c);
    if ((data[0] & 3) >= 2) {
        spb_buffer b;
        client_service(&c);
        client_buffer(&c, &b);
        spw_cstring(&b, "guest");
        spw_cstring(&b, "ssh-connection");
        spw_cstring(&b, "none");
        client_send_buffer(&c, SSH_MSG_USERAUTH_REQUEST, &b);
    }
    if ((data[0] & 3) == 3)
        (void)client_open_session(&c);
    const uint8_t *at = data + 1;
    size_t left = size - 1;
    while (left >= 3 && !c.closed) {
        uint8_t message = at[0];
        size_t length = ((size_t)at[1] << 8 | at[2]) & 0x3fff;
        at += 3;
        left -= 3;
        if (length > left)
            length = left;
        client_send(&c, message, at, length);
        at += length;
        left -= length;
        c.now += message;
        sp_engine_tick(c.engine, c.now);
        client_pump(&c);
        spb_buffer_clear(&c.in);
    }
    client_free(&c);
    return 0;
}
