/* A USERAUTH_REQUEST from its first to its last byte (RFC 4252 5), before anything is asked: the
 * fields common to all methods here, the others in the method's file. Also the store that keeps
 * what a question lends to the application, and wipes it. */
#include "auth/auth_internal.h"
#include "transport/messages.h"
#include <string.h>

static const spa_method *const all_methods[] = {
    &spa_method_none,     &spa_method_public_key, &spa_method_host_bound,
    &spa_method_password, &spa_method_kbdint,
};

static const spa_method *find_method(spb_span name)
{
    for (size_t i = 0; i < sizeof all_methods / sizeof all_methods[0]; i++)
        if (spb_span_is(name, all_methods[i]->name))
            return all_methods[i];
    return &spa_method_unknown;
}

void spa_request_init(spa_request *q, const spb_env *env)
{
    memset(q, 0, sizeof *q);
    spb_buffer_init(&q->name, env, SPA_STORE_MAX);
    q->name.secret = true; /* people type passwords where the name belongs */
    spb_buffer_init(&q->store, env, SPA_STORE_MAX);
    q->store.secret = true;
}

void spa_request_wipe(spa_request *q)
{
    spb_buffer_free(&q->store);
    sp_key_unref(q->key);
    q->key = NULL;
    sp_cert_unref(q->cert);
    q->cert = NULL;
}

void spa_request_free(spa_request *q)
{
    spa_request_wipe(q);
    spb_buffer_free(&q->name);
    q->method = NULL;
}

static int keep(spa_request *q, spb_span text, size_t *at)
{
    *at = q->store.length;
    spw_bytes(&q->store, text.data, text.length);
    spw_u8(&q->store, 0);
    return spw_ok(&q->store) ? 0 : SP_ENOMEM;
}

int spa_keep_text(spa_request *q, spb_span text, size_t *at)
{
    if (!spb_utf8_valid(text.data, text.length) ||
        (text.length > 0 && memchr(text.data, 0, text.length) != NULL))
        return SP_EFORMAT;
    return keep(q, text, at);
}

int spa_keep_prepared(spa_request *q, spb_span text, size_t *at)
{
    *at = q->store.length;
    return spa_saslprep(text, &q->store);
}

const char *spa_kept(const spa_request *q, size_t at)
{
    return (const char *)q->store.data + at;
}

/* A name that can't be prepared can't be anybody's: it becomes an empty one that is never let in,
 * and goes through the same questions as a name that nobody has. */
static int keep_name(spa_request *q, spb_span user)
{
    int result = spa_saslprep(user, &q->name);

    if (result == SP_EFORMAT) {
        q->name_fitness = SPA_UNFIT;
        spw_u8(&q->name, 0);
        result = spw_ok(&q->name) ? 0 : SP_ENOMEM;
    }
    return result;
}

int spa_request_parse(spa_auth *a, spa_request *q, spb_reader *r)
{
    const uint8_t *start = r->at;
    spb_span user = spr_string_max(r, SPA_USERNAME_MAX);
    spb_span service = spr_string_max(r, SPA_NAME_MAX);
    spb_span method = spr_string_max(r, SPA_NAME_MAX);

    q->arrival = spt_now(a->transport);
    if (!spr_ok(r))
        goto malformed;
    if (!spb_span_is(service, "ssh-connection"))
        return spt_fail(a->transport, SP_EPROTO, SP_DISCONNECT_SERVICE_NOT_AVAILABLE,
                        "Service not available");
    q->method = find_method(method);
    int result = q->method->parse(a, q, r, start);
    if (result == SP_EPROTO)
        goto malformed;
    if (result == 0)
        result = keep_name(q, user);
    return result == 0 ? 0 : spa_no_memory(a);

malformed:
    return spt_fail(a->transport, SP_EPROTO, SP_DISCONNECT_PROTOCOL_ERROR,
                    "Malformed authentication request");
}
