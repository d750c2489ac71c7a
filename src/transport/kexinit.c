/* KEXINIT and negotiation (RFC 4253 7.1, RFC 8308 2.1; strict key exchange: OpenSSH PROTOCOL 1.9).
 * The client's first name that we have as well is the one. */
#include "transport/transport_internal.h"

#include <string.h>

#define KEXINIT_LIMIT ((size_t)PACKET_LIMIT_UNAUTHENTICATED)
#define COOKIE_LENGTH 16
#define STRICT_OURS "kex-strict-s-v00@openssh.com"
#define STRICT_THEIRS "kex-strict-c-v00@openssh.com"
#define EXT_INFO_OURS "ext-info-s"
#define EXT_INFO_THEIRS "ext-info-c"

static int kex_failed(spt_transport *t, int error, const char *what)
{
    return spt_fail(t, error, SP_DISCONNECT_KEY_EXCHANGE_FAILED, "%s", what);
}

static bool write_kexinit(spt_transport *t, spb_buffer *b)
{
    const sp_config *c = t->config;
    uint8_t cookie[COOKIE_LENGTH];

    if (!spc_random(spt_env(t), cookie, sizeof cookie))
        return false;
    spw_u8(b, SSH_MSG_KEXINIT);
    spw_bytes(b, cookie, sizeof cookie);
    size_t mark = spw_string_begin(b);
    spw_bytes(b, c->kex_list, strlen(c->kex_list));
    if (!t->first_kex_done) {
        /* These signal once, in the first exchange only. */
        static const char extra[] = "," EXT_INFO_OURS "," STRICT_OURS;
        spw_bytes(b, extra, sizeof extra - 1);
    }
    spw_string_end(b, mark);
    spw_cstring(b, c->host_key_list);
    for (int i = 0; i < 2; i++)
        spw_cstring(b, c->cipher_list);
    for (int i = 0; i < 2; i++)
        spw_cstring(b, c->mac_list);
    for (int i = 0; i < 2; i++)
        spw_cstring(b, c->compression_list);
    spw_cstring(b, NULL); /* languages */
    spw_cstring(b, NULL);
    spw_bool(b, false); /* no guess */
    spw_u32(b, 0);
    return spw_ok(b);
}

int spt_kex_start(spt_transport *t)
{
    spt_kex *k = spb_calloc(spt_env(t), 1, sizeof *k);
    if (k == NULL)
        return kex_failed(t, SP_ENOMEM, "out of memory");
    spb_buffer_init(&k->ours, spt_env(t), KEXINIT_LIMIT);
    spb_buffer_init(&k->theirs, spt_env(t), KEXINIT_LIMIT);
    spb_buffer_init(&k->secret, spt_env(t), SPC_KEX_SECRET_MAX + 8);
    k->secret.secret = true;
    t->kex = k;
    if (!write_kexinit(t, &k->ours))
        return kex_failed(t, SP_ENOMEM, "KEXINIT can't be made");
    t->kex_state = KEX_SENT;
    spb_log(spt_env(t), SP_LOG_DEBUG, "KEXINIT sent");
    spb_buffer *b = spt_begin(t, SSH_MSG_KEXINIT);
    spw_bytes(b, k->ours.data + 1, k->ours.length - 1);
    return spt_end(t);
}

/* The name lists of a KEXINIT in their order (RFC 4253 7.1). */
enum {
    LIST_KEX,
    LIST_HOST_KEY,
    LIST_CIPHER_IN,
    LIST_CIPHER_OUT,
    LIST_MAC_IN,
    LIST_MAC_OUT,
    LIST_COMPRESSION_IN,
    LIST_COMPRESSION_OUT,
    LIST_LANGUAGE_IN,
    LIST_LANGUAGE_OUT,
    LIST_COUNT
};

/* The place in our list of the client's first name that is there, -1 if none is. The tables of the
 * configuration stand in the order of its lists. */
static int pick(spb_span theirs, const char *ours)
{
    spb_span name;
    spb_span one;

    while (spb_name_next(&theirs, &name)) {
        spb_span rest = {(const uint8_t *)ours, strlen(ours)};
        for (int i = 0; spb_name_next(&rest, &one); i++) {
            if (one.length == name.length && memcmp(one.data, name.data, one.length) == 0)
                return i;
        }
    }
    return -1;
}

static int no_match(spt_transport *t, const char *what, spb_span offered)
{
    char names[256];
    spb_printable(names, sizeof names, offered.data, offered.length);
    return spt_fail(t, SP_ENEGOTIATE, SP_DISCONNECT_KEY_EXCHANGE_FAILED,
                    "no %s in common; the client offers: %s", what, names);
}

static int negotiate(spt_transport *t, const spb_span lists[LIST_COUNT])
{
    const sp_config *c = t->config;
    spt_kex *k = t->kex;
    const struct {
        const char *what;
        const char *ours;
    } sides[LIST_LANGUAGE_IN] = {
        [LIST_KEX] = {"key exchange method", c->kex_list},
        [LIST_HOST_KEY] = {"host key algorithm", c->host_key_list},
        [LIST_CIPHER_IN] = {"client to server cipher", c->cipher_list},
        [LIST_CIPHER_OUT] = {"server to client cipher", c->cipher_list},
        [LIST_MAC_IN] = {"client to server MAC", c->mac_list},
        [LIST_MAC_OUT] = {"server to client MAC", c->mac_list},
        [LIST_COMPRESSION_IN] = {"client to server compression", c->compression_list},
        [LIST_COMPRESSION_OUT] = {"server to client compression", c->compression_list},
    };
    int at[LIST_LANGUAGE_IN];

    for (int i = 0; i < LIST_LANGUAGE_IN; i++) {
        at[i] = pick(lists[i], sides[i].ours);
        /* An authenticated cipher brings its own MAC; then that list means nothing (RFC 5647 5.1).
         */
        bool needed = (i != LIST_MAC_IN || c->ciphers[at[LIST_CIPHER_IN]]->tag_length == 0) &&
                      (i != LIST_MAC_OUT || c->ciphers[at[LIST_CIPHER_OUT]]->tag_length == 0);
        if (at[i] < 0 && needed)
            return no_match(t, sides[i].what, lists[i]);
        if (!needed)
            at[i] = -1;
    }
    k->method = c->kex[at[LIST_KEX]];
    k->host = &c->host_algorithms[at[LIST_HOST_KEY]];
    k->cipher_in = c->ciphers[at[LIST_CIPHER_IN]];
    k->cipher_out = c->ciphers[at[LIST_CIPHER_OUT]];
    k->mac_in = at[LIST_MAC_IN] < 0 ? NULL : c->macs[at[LIST_MAC_IN]];
    k->mac_out = at[LIST_MAC_OUT] < 0 ? NULL : c->macs[at[LIST_MAC_OUT]];
    k->compression_in = c->compressions[at[LIST_COMPRESSION_IN]];
    k->compression_out = c->compressions[at[LIST_COMPRESSION_OUT]];
    return 0;
}

static bool first_is(spb_span list, const char *name)
{
    spb_span first;
    return spb_name_next(&list, &first) && spb_span_is(first, name);
}

/* RFC 4253 7: a guess is right when both sides prefer the same method and host key algorithm. */
static bool guess_is_right(const spt_transport *t, const spb_span lists[LIST_COUNT])
{
    return first_is(lists[LIST_KEX], t->config->kex[0]->name) &&
           first_is(lists[LIST_HOST_KEY], t->config->host_algorithms[0].name);
}

int spt_kexinit_received(spt_transport *t, spb_reader *r)
{
    spb_span whole = {r->at, spr_left(r)};
    spb_span lists[LIST_COUNT];

    (void)spr_bytes(r, COOKIE_LENGTH);
    for (size_t i = 0; i < LIST_COUNT; i++)
        lists[i] = spr_string(r);
    bool guessed = spr_bool(r);
    (void)spr_u32(r);
    if (!spr_done(r))
        return kex_failed(t, SP_EPROTO, "malformed KEXINIT");

    if (!t->authenticated && ++t->kex_count > KEX_BUDGET_UNAUTHENTICATED)
        return kex_failed(t, SP_ELIMIT, "too many key exchanges before authentication");
    if (!t->first_kex_done) {
        t->strict = spb_name_in(lists[LIST_KEX], STRICT_THEIRS);
        t->wants_ext_info = spb_name_in(lists[LIST_KEX], EXT_INFO_THEIRS);
        t->rsa_sha2_512 = spb_name_in(lists[LIST_HOST_KEY], "rsa-sha2-512");
        t->rsa_sha2_256 = spb_name_in(lists[LIST_HOST_KEY], "rsa-sha2-256");
        /* Strict: nothing at all may come before KEXINIT. */
        if (t->strict && t->in.sequence != 1)
            return kex_failed(t, SP_EPROTO, "a packet came before KEXINIT");
    }
    if (t->kex_state == KEX_IDLE) {
        int result = spt_kex_start(t);
        if (result != 0)
            return result;
    }
    spt_kex *k = t->kex;
    spw_u8(&k->theirs, SSH_MSG_KEXINIT);
    spw_bytes(&k->theirs, whole.data, whole.length);
    if (!spw_ok(&k->theirs))
        return kex_failed(t, SP_ENOMEM, "out of memory");
    int result = negotiate(t, lists);
    if (result != 0)
        return result;
    k->skip_guess = guessed && !guess_is_right(t, lists);
    spb_log(spt_env(t), SP_LOG_DEBUG, "KEXINIT received%s", k->skip_guess ? ", a wrong guess" : "");
    t->kex_state = spc_kex_group_exchange(k->method) ? KEX_WAIT_GEX_REQUEST : KEX_WAIT_INIT;
    return 0;
}
