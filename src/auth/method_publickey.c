/* Methods "publickey" (RFC 4252 7, RFC 8332, OpenSSH PROTOCOL.certkeys) and
 * "publickey-hostbound-v00@openssh.com" (OpenSSH PROTOCOL 3.1), which is the same but for what is
 * signed: a query whether a key or a
 * certificate would do, or a request with the proof of possessing the key. Lists of authorized keys
 * say whether it may log in, or else the application; the signature, over the session identifier
 * and the very bytes of the request, is verified here. A query leaves nothing behind: each request
 * stands for itself.
 *
 * A certificate stands for itself, too: it is never taken as its bare key. All that is wrong with
 * it is found before the application hears of it, but for what depends on the answer, its
 * principals.
 *
 * The signature of a refused key is not looked at. The time that saves stays inside one step of the
 * failure schedule, and both ways end in the same reply. */
#include "auth/auth_internal.h"
#include "transport/messages.h"
#include <stdio.h>
#include <string.h>

static int parse(const spa_auth *a, spa_request *q, spb_reader *r, const uint8_t *start, bool bound)
{
    q->is_signed = spr_bool(r);
    spb_span algorithm = spr_string_max(r, SPA_NAME_MAX);
    spb_span blob = spr_string_max(r, SPA_BLOB_MAX);
    if (bound) {
        spb_span host_key = spr_string_max(r, SPA_BLOB_MAX);
        spb_span ours = spt_first_host_key(a->transport);
        q->other_host =
            host_key.length != ours.length || memcmp(host_key.data, ours.data, ours.length) != 0;
    }
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

    q->algorithm = spt_config_user_algorithm(spt_config(a->transport), algorithm);
    q->algorithm_at = base + (size_t)(algorithm.data - start);
    q->algorithm_length = algorithm.length;
    q->blob_at = base + (size_t)(blob.data - start);
    q->blob_length = blob.length;
    return spw_ok(&q->store) ? 0 : SP_ENOMEM;
}

static int public_key_parse(const spa_auth *a, spa_request *q, spb_reader *r, const uint8_t *start)
{
    return parse(a, q, r, start, false);
}

/* OpenSSH PROTOCOL 3.1: with the host key that the client has seen, which the signature covers, so
 * that an agent knows where it signs for. */
static int host_bound_parse(const spa_auth *a, spa_request *q, spb_reader *r, const uint8_t *start)
{
    return parse(a, q, r, start, true);
}

/* ---- before the application is asked ---- */

/* Reads the blob as what the algorithm's name says it is. 0, SP_ENOMEM, or another error with the
 * reason. */
static int read_blob(spa_request *q, const char **why)
{
    const uint8_t *blob = q->store.data + q->blob_at;
    int result;

    if (q->algorithm->certificate) {
        result = sp_cert_from_blob(&q->cert, blob, q->blob_length);
        *why = "unusable certificate";
        if (result == 0)
            q->key = sp_key_ref(sp_cert_key(q->cert));
    } else {
        result = sp_key_from_blob(&q->key, blob, q->blob_length);
        *why = "unusable key";
    }
    if (result != 0) {
        q->key = NULL;
        q->cert = NULL;
        return result;
    }
    *why = "key does not fit the signature algorithm";
    return sp_key_get_type(q->key) == q->algorithm->signature->key_type ? 0 : SP_EFORMAT;
}

/* What would refuse the certificate whoever vouches for it? */
static bool cert_good(const spa_auth *a, const sp_cert *cert, const char **why)
{
    const spk_peer who = spa_peer(a);
    const char *own = sp_cert_principal(cert, 0);
    const spk_cert_use use = {
        .type = SP_CERT_USER,
        .now = who.now,
        .names = &own,
        .name_count = own != NULL ? 1 : 0,
        .address = who.address,
        .ca_algorithms = who.ca_algorithms,
    };

    return spk_cert_check(cert, &use, why);
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

/* Accepted, with these permissions (taken over), if the client has the key. */
static int prove(spa_auth *a, const sp_auth_reply *reply, spk_permissions *permitted)
{
    const spa_request *q = &a->request;

    if (q->is_signed &&
        sp_key_verify(q->key, q->algorithm->signature->name, q->store.data, q->signed_length,
                      q->store.data + q->signature_at, q->signature_length))
        return spa_proven(a, reply, permitted);
    spk_permissions_unref(permitted);
    return q->is_signed ? spa_reject(a, "bad signature") : reply_ok(a);
}

static int public_key_ask(spa_auth *a)
{
    static const sp_auth_reply listed = {.verdict = SP_AUTH_ACCEPT};
    spa_request *q = &a->request;
    spk_permissions *permitted = NULL;
    const char *why;

    if (q->algorithm == NULL || !spa_algorithm_allowed(a, q->algorithm->name))
        return spa_reject(a, "signature algorithm not enabled");
    if (q->other_host)
        return spa_reject(a, "the request is bound to another host key");
    int result = read_blob(q, &why);
    if (result == SP_ENOMEM)
        return spa_no_memory(a);
    if (result != 0)
        return spa_reject(a, why);
    if (spa_key_done(a, q->key))
        return spa_reject(a, "key was used before");
    why = spa_revoked(a, q);
    if (why != NULL || (q->cert != NULL && !cert_good(a, q->cert, &why)))
        return spa_reject(a, why);

    const spk_peer who = spa_peer(a);
    result = spa_look_up(spa_authorized(a), q->key, q->cert, &who, &permitted, &why);
    if (result == SP_ENOMEM)
        return spa_no_memory(a);
    if (result == 0)
        return prove(a, &listed, permitted);
    /* A line that was passed over tells more than that the application refuses as well. */
    if (result == SP_EAUTH)
        (void)snprintf(q->refusal, sizeof q->refusal, "%s", why);
    return spa_ask(a, SPA_VERDICT,
                   q->cert != NULL ? SP_EVENT_AUTH_CA_KEY : SP_EVENT_AUTH_PUBLIC_KEY);
}

/* ---- its answer ---- */

static bool public_key_fits(const spa_auth *a, const sp_auth_reply *reply)
{
    (void)a;
    return reply->verdict == SP_AUTH_REJECT || reply->verdict == SP_AUTH_ACCEPT ||
           reply->verdict == SP_AUTH_PARTIAL;
}

static int public_key_decide(spa_auth *a, const sp_auth_reply *reply)
{
    const spa_request *q = &a->request;
    spk_permissions *permitted;
    const char *why;

    if (reply->verdict != SP_AUTH_ACCEPT && reply->verdict != SP_AUTH_PARTIAL) {
        const char *plain =
            q->cert != NULL ? "no CA vouches for the certificate" : "key not accepted";
        return spa_reject(a, q->refusal[0] != '\0' ? q->refusal : plain);
    }
    int result = spa_reply_permits(a, reply, &permitted, &why);
    if (result == SP_ENOMEM)
        return spa_no_memory(a);
    return result == 0 ? prove(a, reply, permitted) : spa_reject(a, why);
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

const spa_method spa_method_host_bound = {
    .name = "publickey-hostbound-v00@openssh.com",
    .bit = SP_METHOD_PUBLIC_KEY,
    .scheduled = true,
    .parse = host_bound_parse,
    .ask = public_key_ask,
    .fits = public_key_fits,
    .decide = public_key_decide,
};
