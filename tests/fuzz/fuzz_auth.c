/* Fuzzes the authentication service over a stand-in transport: the input is a script of messages
 * (raw, or well-formed around raw fields; certificates are a good one with some bytes changed),
 * answers and ticks. What must hold whatever comes: nobody gets in without an accepting answer, and
 * a key's acceptance alone lets nobody in, by the application or by a list, for no input has a good
 * signature; permissions are there after success and never before; each question is canceled or
 * answered once; all memory comes back. */
#include "../unit/support/auth_stand.h"

/* A certificate for alice and bob from 192.0.2.0/24 with force-command, its CA, its key. */
static const char good_cert[] =
    "ssh-ed25519-cert-v01@openssh.com "
    "AAAAIHNzaC1lZDI1NTE5LWNlcnQtdjAxQG9wZW5zc2guY29tAAAAIF92/FaHzWS7FJVoCGKEDkUKCe/GT1p3HwNEEBzW"
    "8ltiAAAAIPJ9kOnRoDh1gqS7AM1nYfTi5B5S3q2ZWA0QDsr+gk4nAAAAAAAAAAkAAAABAAAABGZ1enoAAAAQAAAABWFs"
    "aWNlAAAAA2JvYgAAAAAAAAAA//////////8AAABBAAAADWZvcmNlLWNvbW1hbmQAAAAGAAAAAmxzAAAADnNvdXJjZS1h"
    "ZGRyZXNzAAAAEAAAAAwxOTIuMC4yLjAvMjQAAACCAAAAFXBlcm1pdC1YMTEtZm9yd2FyZGluZwAAAAAAAAAXcGVybWl0"
    "LWFnZW50LWZvcndhcmRpbmcAAAAAAAAAFnBlcm1pdC1wb3J0LWZvcndhcmRpbmcAAAAAAAAACnBlcm1pdC1wdHkAAAAA"
    "AAAADnBlcm1pdC11c2VyLXJjAAAAAAAAAAAAAAAzAAAAC3NzaC1lZDI1NTE5AAAAIEtoW0W7d0WpCM8fWlOwW1/+chjq"
    "VKZ4Lsca8a9mOV7HAAAAUwAAAAtzc2gtZWQyNTUxOQAAAEBpSiALNIl4hVeyzugjiQEc++iV2FZzUMHp1CLjwQw+3Who"
    "t7qijJLiZ9LdwzpMvguSoDyqTt+z4IaLquvyo6oE";
static const char good_ca[] =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEtoW0W7d0WpCM8fWlOwW1/+chjqVKZ4Lsca8a9mOV7H";
static const char good_key[] =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPJ9kOnRoDh1gqS7AM1nYfTi5B5S3q2ZWA0QDsr+gk4n";

static sp_cert *cert;
static sp_authorized_keys *lists[2];
static sp_revoked_keys *revoked;

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

/* Made once, for all inputs. */
static void make_materials(void)
{
    char text[1024];
    int length =
        snprintf(text, sizeof text, "cert-authority,no-pty,principals=\"alice,x\" %s\n%s\n",
                 good_ca, good_key);

    if (cert != NULL)
        return;
    must(sp_authorized_keys_parse(&lists[0], text, (size_t)length, NULL, NULL) == 0);
    length = snprintf(text, sizeof text, "from=\"198.51.100.1\" %s\n", good_key);
    must(sp_authorized_keys_parse(&lists[1], text, (size_t)length, NULL, NULL) == 0);
    must(sp_revoked_keys_parse(&revoked, good_key, sizeof good_key - 1) == 0);
    must(sp_cert_parse(&cert, good_cert) == 0);
}

/* Up to three bytes of it are not as they should be. */
static void put_cert(spb_buffer *m, script *in)
{
    size_t length;
    const uint8_t *blob = sp_cert_blob(cert, &length);
    size_t mark = spw_string_begin(m);
    size_t at = m->length;

    spw_bytes(m, blob, length);
    for (uint8_t count = next_byte(in) & 3; count > 0; count--) {
        size_t where = (size_t)next_byte(in) << 8;
        where |= next_byte(in);
        m->data[at + where % length] ^= next_byte(in);
    }
    spw_string_end(m, mark);
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
        uint8_t what = next_byte(in);
        uint8_t is_signed = what & 1;
        uint8_t point[32];
        if ((what & 2) != 0) {
            spw_u8(m, is_signed);
            spw_cstring(m, (what & 4) != 0 ? "rsa-sha2-256-cert-v01@openssh.com"
                                           : "ssh-ed25519-cert-v01@openssh.com");
            put_cert(m, in);
            s = is_signed ? next_bytes(in) : (spb_span){NULL, 0};
            if (is_signed)
                spw_string(m, s.data, s.length);
            break;
        }
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
        must((event.type == SP_EVENT_AUTH_CA_KEY) == (event.u.auth.cert != NULL));
        if (event.u.auth.cert != NULL)
            touch(sp_cert_key_id(event.u.auth.cert));
        r->question = event.question;
        r->type = event.type;
    }
}

static void answer(run *r, script *in)
{
    static const sp_prompt prompts[] = {{"a", false}, {"", true}, {"c", false}};
    uint8_t what = next_byte(in);
    sp_challenge challenge = {NULL, NULL, NULL, prompts, what >> 4 & 3};
    static const char *const options[] = {NULL, "restrict,command=\"x\"", "from=\"10.0.0.1\"", "x"};
    static const char *const principals[] = {"bob", "x"};
    sp_auth_reply reply = {.verdict = (sp_auth_verdict)(what % 6), .challenge = &challenge};
    uint8_t grant = next_byte(in);

    reply.options = options[grant & 3];
    if ((grant & 4) != 0)
        reply.principals = principals;
    reply.principal_count = grant >> 3 & 1;
    if ((grant & 16) != 0)
        reply.authorized_keys = lists[grant >> 5 & 1];

    if (r->question == 0)
        return;
    int result = r->type == SP_EVENT_AUTH_METHODS ? spa_answer_methods(r->a, r->question, what)
                                                  : spa_answer(r->a, r->question, &reply);
    if (result == SP_EINVAL)
        return;
    if (result == 0 && reply.verdict == SP_AUTH_ACCEPT && r->type != SP_EVENT_AUTH_METHODS &&
        r->type != SP_EVENT_AUTH_PUBLIC_KEY && r->type != SP_EVENT_AUTH_CA_KEY)
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
    make_materials();
    uint8_t trust = next_byte(&in);
    r.s->trust.peer = (trust & 1) != 0 ? (char *)(uintptr_t) "192.0.2.1" : NULL;
    r.s->trust.authorized = (trust & 2) != 0 ? lists[trust >> 2 & 1] : NULL;
    r.s->trust.revoked[1] = (trust & 0x38) == 0x38 ? revoked : NULL;
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
        must(spa_succeeded(r.a) == (spa_permissions(r.a) != NULL));
    }
    spa_free(r.a);
    spb_buffer_free(&r.s->out);
    must(r.s->live == 0);
    stand_free_all(r.s);
    return 0;
}
