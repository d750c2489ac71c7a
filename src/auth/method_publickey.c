/* Method "publickey" (RFC 4252 7, RFC 8332): a query whether a key would do, or a request with the
 * proof of possessing it. The application says whether the key may log in; the signature, over the
 * session identifier and the very bytes of the request, is verified here. A query leaves nothing
 * behind: each request stands for itself.
 *
 * The signature of a refused key is not looked at. The time that saves stays inside one step of the
 * failure schedule, and both ways end in the same reply. */
#include "auth/auth_internal.h"
#include "transport/messages.h"
#include <string.h>

/* Only what the configuration enables counts, whatever libcrypto can do. */
static const spc_signature *enabled_algorithm(const sp_config *config, spb_span name)
{
    for (size_t i = 0; i < SPT_LIST_MAX && config->signatures[i] != NULL; i++)
        if (spb_span_is(name, config->signatures[i]->name))
            return config->signatures[i];
    return NULL;
}

static int public_key_parse(const spa_auth *a, spa_request *q, spb_reader *r, const uint8_t *start)
{
    q->is_signed = spr_bool(r);
    spb_span algorithm = spr_string_max(r, SPA_NAME_MAX);
    spb_span blob = spr_string_max(r, SPA_BLOB_MAX);
    const uint8_t *end = r->at;
    spb_span signature = {NULL, 0};
    if (q->is_signed)
        signature = spr_string_max(r, SPA_BLOB_MAX);
    if (!spr_done(r))
        return SP_EPROTO;

    /* The store begins with just what the signature is over. */
    spb_span session = spt_session_id(a->transport);
    spw_string(&q->store, session.data, session.length);
    spw_u8(&q->store, SSH_MSG_USERAUTH_REQUEST);
    size_t base = q->store.length;
    spw_bytes(&q->store, start, (size_t)(end - start));
    q->signed_length = q->store.length;
    q->signature_at = q->store.length;
    q->signature_length = signature.length;
    spw_bytes(&q->store, signature.data, signature.length);

    q->algorithm = enabled_algorithm(spt_config(a->transport), algorithm);
    q->algorithm_at = base + (size_t)(algorithm.data - start);
    q->algorithm_length = algorithm.length;
    q->blob_at = base + (size_t)(blob.data - start);
    q->blob_length = blob.length;
    return spw_ok(&q->store) ? 0 : SP_ENOMEM;
}

static int public_key_ask(spa_auth *a)
{
    spa_request *q = &a->request;

    if (q->algorithm == NULL)
        return spa_reject(a, "signature algorithm not enabled");
    int result = sp_key_from_blob(&q->key, q->store.data + q->blob_at, q->blob_length);
    if (result == SP_ENOMEM)
        return spa_no_memory(a);
    if (result != 0) {
        q->key = NULL;
        return spa_reject(a, "unusable key");
    }
    if (sp_key_get_type(q->key) != q->algorithm->key_type)
        return spa_reject(a, "key does not fit the signature algorithm");
    if (spa_key_done(a, q->key))
        return spa_reject(a, "key was used before");
    return spa_ask(a, SPA_VERDICT, SP_EVENT_AUTH_PUBLIC_KEY);
}

static bool public_key_fits(const spa_auth *a, const sp_auth_reply *reply)
{
    (void)a;
    return reply->verdict == SP_AUTH_REJECT || reply->verdict == SP_AUTH_ACCEPT ||
           reply->verdict == SP_AUTH_PARTIAL;
}

static int reply_ok(spa_auth *a)
{
    const spa_request *q = &a->request;
    spb_buffer *out = spt_begin(a->transport, SSH_MSG_USERAUTH_PK_OK);

    spw_string(out, q->store.data + q->algorithm_at, q->algorithm_length);
    spw_string(out, q->store.data + q->blob_at, q->blob_length);
    a->state = SPA_IDLE;
    return spt_end(a->transport);
}

static int public_key_decide(spa_auth *a, const sp_auth_reply *reply)
{
    const spa_request *q = &a->request;

    if (reply->verdict != SP_AUTH_ACCEPT && reply->verdict != SP_AUTH_PARTIAL)
        return spa_reject(a, "key not accepted");
    if (!q->is_signed)
        return reply_ok(a);
    if (!sp_key_verify(q->key, q->algorithm->name, q->store.data, q->signed_length,
                       q->store.data + q->signature_at, q->signature_length))
        return spa_reject(a, "bad signature");
    return reply->verdict == SP_AUTH_ACCEPT ? spa_succeed(a) : spa_partial(a);
}

const spa_method spa_method_public_key = {
    .name = "publickey",
    .bit = SP_METHOD_PUBLIC_KEY,
    .scheduled = true,
    .parse = public_key_parse,
    .ask = public_key_ask,
    .fits = public_key_fits,
    .decide = public_key_decide,
};
