/* Fuzzes the authentication service over a stand-in transport: the input is a script of messages
 * (raw, or well-formed around raw fields), answers and ticks. What must hold whatever comes: nobody
 * gets in without an accepting answer, and a key's acceptance alone lets nobody in, for no input
 * has a good signature; each question is canceled or answered once; all memory comes back. */
#include "../unit/support/auth_stand.h"

typedef struct script {
    const uint8_t *at;
    size_t left;
} script;

typedef struct run {
    stand *s;
    spa_auth *a;
    uint64_t question; /* told and still open, as far as the application knows */
    sp_event_type type;
    bool accepted; /* something that lets in was answered */
} run;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static uint8_t next_byte(script *in)
{
    if (in->left == 0)
        return 0;
    in->left--;
    return *in->at++;
}

static spb_span next_bytes(script *in)
{
    size_t length = next_byte(in);

    if (length > in->left)
        length = in->left;
    spb_span s = {in->at, length};
    in->at += length;
    in->left -= length;
    return s;
}

static void feed(run *r, uint8_t message, const spb_buffer *m)
{
    uint8_t *exact = malloc(m->length > 0 ? m->length : 1);
    spb_reader reader;

    must(exact != NULL);
    if (m->length > 0)
        memcpy(exact, m->data, m->length);
    spr_init(&reader, exact, m->length);
    (void)spa_message(r->a, message, &reader);
    free(exact);
}

static void put_fields(spb_buffer *m, uint8_t method, script *in)
{
    static const char key_start[] = "\0\0\0\013ssh-ed25519\0\0\0\040";
    spb_span s;

    switch (method) {
    case 1:
        spw_u8(m, next_byte(in) & 1);
        s = next_bytes(in);
        spw_string(m, s.data, s.length);
        if (next_byte(in) & 1) {
            s = next_bytes(in);
            spw_string(m, s.data, s.length);
        }
        break;
    case 2:
        s = next_bytes(in);
        spw_string(m, s.data, s.length);
        s = next_bytes(in);
        spw_string(m, s.data, s.length);
        break;
    case 3: {
        uint8_t is_signed = next_byte(in) & 1;
        uint8_t point[32];
        memset(point, next_byte(in) & 3, sizeof point);
        spw_u8(m, is_signed);
        spw_cstring(m, "ssh-ed25519");
        spw_u32(m, (uint32_t)(sizeof key_start - 1 + sizeof point));
        spw_bytes(m, key_start, sizeof key_start - 1);
        spw_bytes(m, point, sizeof point);
        if (is_signed) {
            s = next_bytes(in);
            spw_string(m, s.data, s.length);
        }
        break;
    }
    default:
        s = next_bytes(in);
        spw_bytes(m, s.data, s.length);
        break;
    }
}

static void send_request(run *r, script *in)
{
    static const char *const users[] = {"alice", "bob", "\xc3\xbc", "\xff"};
    static const char *const names[] = {"none", "password", "keyboard-interactive", "publickey"};
    spb_env env;
    spb_buffer m;
    uint8_t what = next_byte(in);
    uint8_t method = what >> 2 & 3;

    spb_env_init(&env, NULL);
    spb_buffer_init(&m, &env, 1 << 16);
    spw_cstring(&m, users[what & 3]);
    spw_cstring(&m, "ssh-connection");
    spw_cstring(&m, names[method]);
    if (method != 0)
        put_fields(&m, method, in);
    feed(r, SSH_MSG_USERAUTH_REQUEST, &m);
    spb_buffer_free(&m);
}

static void send_responses(run *r, script *in)
{
    spb_env env;
    spb_buffer m;
    uint8_t count = next_byte(in) & 3;

    spb_env_init(&env, NULL);
    spb_buffer_init(&m, &env, 1 << 16);
    spw_u32(&m, count);
    for (uint8_t i = 0; i < count; i++) {
        spb_span s = next_bytes(in);
        spw_string(&m, s.data, s.length);
    }
    feed(r, SSH_MSG_USERAUTH_INFO_RESPONSE, &m);
    spb_buffer_free(&m);
}

static void send_raw(run *r, script *in)
{
    spb_env env;
    spb_buffer m;
    uint8_t message = (uint8_t)(next_byte(in) % 32 + 48);
    spb_span s = next_bytes(in);

    spb_env_init(&env, NULL);
    spb_buffer_init(&m, &env, 1 << 16);
    spw_bytes(&m, s.data, s.length);
    feed(r, message, &m);
    spb_buffer_free(&m);
}

static void touch(const char *text)
{
    must(strlen(text) < SPA_STORE_MAX);
}

static void pull(run *r)
{
    sp_event event;

    while (spa_next_event(r->a, &event)) {
        if (event.type == SP_EVENT_CANCELED) {
            must(r->question != 0 && event.question == r->question);
            r->question = 0;
            continue;
        }
        must(r->question == 0);
        touch(event.u.auth.username);
        if (event.u.auth.password != NULL)
            touch(event.u.auth.password);
        if (event.u.auth.new_password != NULL)
            touch(event.u.auth.new_password);
        for (size_t i = 0; i < event.u.auth.response_count; i++)
            touch(event.u.auth.responses[i]);
        r->question = event.question;
        r->type = event.type;
    }
}

static void answer(run *r, script *in)
{
    static const sp_prompt prompts[] = {{"a", false}, {"", true}, {"c", false}};
    uint8_t what = next_byte(in);
    sp_challenge challenge = {NULL, NULL, NULL, prompts, what >> 4 & 3};
    sp_auth_reply reply = {.verdict = (sp_auth_verdict)(what % 6), .challenge = &challenge};

    if (r->question == 0)
        return;
    int result = r->type == SP_EVENT_AUTH_METHODS ? spa_answer_methods(r->a, r->question, what)
                                                  : spa_answer(r->a, r->question, &reply);
    if (result == SP_EINVAL)
        return;
    if (result == 0 && reply.verdict == SP_AUTH_ACCEPT && r->type != SP_EVENT_AUTH_METHODS &&
        r->type != SP_EVENT_AUTH_PUBLIC_KEY)
        r->accepted = true;
    r->question = 0;
    must(!spa_succeeded(r->a) || r->accepted);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    script in = {data, size};
    run r = {.s = stand_new()};

    if (in.left > 8192)
        in.left = 8192;
    must(spa_new(&r.a, r.s, &r.s->trust) == 0);
    while (in.left > 0 && !spt_failed(r.s)) {
        switch (next_byte(&in) % 8) {
        case 0:
            send_raw(&r, &in);
            break;
        case 1:
        case 2:
            send_request(&r, &in);
            break;
        case 3:
            send_responses(&r, &in);
            break;
        case 4:
            r.s->now += next_byte(&in);
            (void)spa_tick(r.a);
            break;
        default:
            pull(&r);
            answer(&r, &in);
            break;
        }
        must(!spa_succeeded(r.a) || r.accepted);
    }
    spa_free(r.a);
    spb_buffer_free(&r.s->out);
    must(r.s->live == 0);
    stand_free_all(r.s);
    return 0;
}
