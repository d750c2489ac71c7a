/* The key object: counted, immutable, its public blob ready-made (RFC 4253 6.6). */
#include "key/key_internal.h"

#include <pthread.h>
#include <string.h>

static const struct {
    sp_key_type type;
    const char *name;
    const char *curve;
} types[] = {
    {SP_KEY_ED25519, "ssh-ed25519", NULL},
    {SP_KEY_ECDSA_P256, "ecdsa-sha2-nistp256", "nistp256"},
    {SP_KEY_ECDSA_P384, "ecdsa-sha2-nistp384", "nistp384"},
    {SP_KEY_ECDSA_P521, "ecdsa-sha2-nistp521", "nistp521"},
    {SP_KEY_RSA, "ssh-rsa", NULL},
    {SP_KEY_ED448, "ssh-ed448", NULL},
    {SP_KEY_SK_ED25519, "sk-ssh-ed25519@openssh.com", NULL},
    {SP_KEY_SK_ECDSA_P256, "sk-ecdsa-sha2-nistp256@openssh.com", "nistp256"},
    {SP_KEY_MLDSA44_ED25519, "ssh-mldsa44-ed25519", NULL},
    {SP_KEY_MLDSA44_ED25519_DRAFT, "ssh-mldsa44-ed25519@openssh.com", NULL},
};
#define TYPE_COUNT (sizeof types / sizeof types[0])

static spb_env default_env;
static pthread_once_t default_env_once = PTHREAD_ONCE_INIT;

static void make_default_env(void)
{
    spb_env_init(&default_env, NULL);
}

const spb_env *spk_env(void)
{
    (void)pthread_once(&default_env_once, make_default_env);
    return &default_env;
}

void *spk_grow(void *items, size_t count, size_t *capacity, size_t item_size)
{
    if (count < *capacity)
        return items;
    size_t more = *capacity == 0 ? 4 : 2 * *capacity;
    if (more > SIZE_MAX / item_size)
        return NULL;
    void *moved = spb_realloc(spk_env(), items, more * item_size);
    if (moved != NULL)
        *capacity = more;
    return moved;
}

const char *spk_type_name(sp_key_type type)
{
    for (size_t i = 0; i < TYPE_COUNT; i++) {
        if (types[i].type == type)
            return types[i].name;
    }
    return NULL;
}

const char *spk_curve_name(sp_key_type type)
{
    for (size_t i = 0; i < TYPE_COUNT; i++) {
        if (types[i].type == type)
            return types[i].curve;
    }
    return NULL;
}

sp_key_type spk_type_find(spb_span name)
{
    for (size_t i = 0; i < TYPE_COUNT; i++) {
        if (spb_span_is(name, types[i].name))
            return types[i].type;
    }
    return SP_KEY_NONE;
}

/* Takes over `pkey` and `application` whatever happens. */
static int make(sp_key **key, spc_pkey *pkey, sp_key_type type, char *application)
{
    const spb_env *env = spk_env();
    spb_buffer blob;

    *key = NULL;
    spb_buffer_init(&blob, env, SPK_BLOB_MAX);
    sp_key *k = spb_calloc(env, 1, sizeof *k);
    if (k == NULL || !spk_write_blob(pkey, type, application, &blob)) {
        int result = k == NULL ? SP_ENOMEM : SP_ECRYPTO;
        spb_free(env, k);
        spb_free(env, application);
        spb_buffer_free(&blob);
        spc_pkey_free(pkey);
        return result;
    }
    atomic_init(&k->references, 1);
    k->pkey = pkey;
    k->type = type;
    k->application = application;
    k->blob = blob.data;
    k->blob_length = blob.length;
    *key = k;
    return 0;
}

int spk_new(sp_key **key, spc_pkey *pkey, bool is_private)
{
    int result = make(key, pkey, spc_pkey_type(pkey), NULL);

    if (result == 0)
        (*key)->is_private = is_private;
    return result;
}

int spk_new_security_key(sp_key **key, spc_pkey *pkey, sp_key_type type, spb_span application)
{
    char *copy = spb_span_string(spk_env(), application);

    *key = NULL;
    if (copy == NULL) {
        spc_pkey_free(pkey);
        return SP_ENOMEM;
    }
    return make(key, pkey, type, copy);
}

int sp_key_generate(sp_key **key, sp_key_type type, unsigned bits)
{
    spc_pkey *pkey;

    *key = NULL;
    if (spk_type_name(type) == NULL || spk_is_security_key(type) ||
        (type == SP_KEY_RSA && bits != 0 && (bits < 2048 || bits > 16384)))
        return SP_EINVAL;
    if (!spc_pkey_generate(&pkey, spk_env(), type, bits))
        return SP_ECRYPTO;
    return spk_new(key, pkey, true);
}

/* The public numbers are read from the blob once more: keys share nothing. */
int sp_key_new_external(sp_key **key, const sp_key *public_key)
{
    int result = sp_key_from_blob(key, public_key->blob, public_key->blob_length);
    if (result == 0)
        (*key)->is_external = true;
    return result;
}

bool sp_key_is_external(const sp_key *key)
{
    return key->is_external;
}

sp_key *sp_key_ref(const sp_key *key)
{
    sp_key *k = (sp_key *)(uintptr_t)key; /* the count is not part of what is constant */

    if (k != NULL)
        atomic_fetch_add_explicit(&k->references, 1, memory_order_relaxed);
    return k;
}

void sp_key_unref(sp_key *key)
{
    if (key == NULL || atomic_fetch_sub_explicit(&key->references, 1, memory_order_acq_rel) != 1)
        return;
    spc_pkey_free(key->pkey);
    spb_free(spk_env(), key->blob);
    spb_free(spk_env(), key->application);
    spb_free(spk_env(), key);
}

sp_key_type sp_key_get_type(const sp_key *key)
{
    return key->type;
}

bool sp_key_is_security_key(const sp_key *key)
{
    return spk_is_security_key(key->type);
}

const char *sp_key_application(const sp_key *key)
{
    return key->application;
}

const char *sp_key_type_name(const sp_key *key)
{
    return spk_type_name(key->type);
}

unsigned sp_key_bits(const sp_key *key)
{
    return spc_pkey_bits(key->pkey);
}

bool sp_key_is_private(const sp_key *key)
{
    return key->is_private;
}

const uint8_t *sp_key_blob(const sp_key *key, size_t *length)
{
    *length = key->blob_length;
    return key->blob;
}

bool sp_key_equal(const sp_key *a, const sp_key *b)
{
    return a->blob_length == b->blob_length && memcmp(a->blob, b->blob, a->blob_length) == 0;
}
