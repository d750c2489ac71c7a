/* Compiles sp_protocol_options into the immutable sp_config that all connections of a server share:
 * defaults filled in, algorithm lists checked and turned into table pointers. */
#include "transport/config.h"

#include "transport/transport_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* Kinds of algorithm lists; each knows its table through a function that gives name `index`. */
typedef const char *(*name_at)(size_t index);

static const char *kex_name(size_t i)
{
    const spc_kex *k = spc_kex_at(i);
    return k == NULL ? NULL : k->name;
}

static const char *cipher_name(size_t i)
{
    const spc_cipher *c = spc_cipher_at(i);
    return c == NULL ? NULL : c->name;
}

static const char *mac_name(size_t i)
{
    const spc_mac *m = spc_mac_at(i);
    return m == NULL ? NULL : m->name;
}

static const char *signature_name(size_t i)
{
    const spc_signature *s = spc_signature_at(i);
    return s == NULL ? NULL : s->name;
}

#define DEFAULT_KEX                                                                                \
    "curve25519-sha256,curve25519-sha256@libssh.org,"                                              \
    "ecdh-sha2-nistp256,ecdh-sha2-nistp384,ecdh-sha2-nistp521"
#define DEFAULT_CIPHERS                                                                            \
    "chacha20-poly1305@openssh.com,aes128-gcm@openssh.com,aes256-gcm@openssh.com,"                 \
    "aes128-ctr,aes192-ctr,aes256-ctr"
#define DEFAULT_MACS                                                                               \
    "hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com,hmac-sha2-256,hmac-sha2-512"
#define DEFAULT_COMPRESSIONS "none,zlib@openssh.com"
#define CERT(name) name "-cert-v01@openssh.com,"
/* Of keys that sign by themselves: host keys, and those of CAs as well. */
#define PLAIN_SIGNATURES                                                                           \
    "ssh-ed25519,ssh-ed448,ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521,"           \
    "rsa-sha2-512,rsa-sha2-256"
#define SECURITY_KEY_SIGNATURES "sk-ssh-ed25519@openssh.com,sk-ecdsa-sha2-nistp256@openssh.com"
#define DEFAULT_CA_SIGNATURES PLAIN_SIGNATURES "," SECURITY_KEY_SIGNATURES
/* Those with certificates first. */
#define DEFAULT_HOST_KEYS                                                                          \
    CERT("ssh-ed25519")                                                                            \
    CERT("ssh-ed448")                                                                              \
    CERT("ecdsa-sha2-nistp256")                                                                    \
    CERT("ecdsa-sha2-nistp384")                                                                    \
    CERT("ecdsa-sha2-nistp521")                                                                    \
    CERT("rsa-sha2-512") CERT("rsa-sha2-256") PLAIN_SIGNATURES
/* Of clients' keys. */
#define DEFAULT_SIGNATURES                                                                         \
    CERT("sk-ssh-ed25519")                                                                         \
    CERT("sk-ecdsa-sha2-nistp256")                                                                 \
    CERT("webauthn-sk-ecdsa-sha2-nistp256")                                                        \
    DEFAULT_HOST_KEYS "," SECURITY_KEY_SIGNATURES ",webauthn-sk-ecdsa-sha2-nistp256@openssh.com"

/* Experimental: only where a list names them (docs/design/mldsa.md). */
#define EXPERIMENTAL_CA_SIGNATURES ",ssh-mldsa44-ed25519,ssh-mldsa44-ed25519@openssh.com"
#define EXPERIMENTAL_SIGNATURES                                                                    \
    ",ssh-mldsa44-ed25519-cert," CERT("ssh-mldsa44-ed25519") "ssh-mldsa44-ed25519,"                \
                                                             "ssh-mldsa44-ed25519@openssh.com"

static const char *compression_name(size_t i)
{
    static const char *const names[] = {"none", "zlib@openssh.com", NULL};
    return i < 2 ? names[i] : NULL;
}

static const struct {
    const char *kind;
    const char *defaults;
    name_at at;
    const char *supported; /* NULL: the same */
} kinds[] = {
    {"kex", DEFAULT_KEX, kex_name, NULL},
    {"key", DEFAULT_HOST_KEYS, signature_name, DEFAULT_HOST_KEYS EXPERIMENTAL_SIGNATURES},
    {"cipher", DEFAULT_CIPHERS, cipher_name, NULL},
    {"mac", DEFAULT_MACS, mac_name, NULL},
    {"compression", DEFAULT_COMPRESSIONS, compression_name, NULL},
    {"sig", DEFAULT_SIGNATURES, signature_name, DEFAULT_SIGNATURES EXPERIMENTAL_SIGNATURES},
    {"ca-sig", DEFAULT_CA_SIGNATURES, signature_name,
     DEFAULT_CA_SIGNATURES EXPERIMENTAL_CA_SIGNATURES},
};

const char *sp_default_algorithms(const char *kind)
{
    for (size_t i = 0; kind != NULL && i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strcmp(kind, kinds[i].kind) == 0)
            return kinds[i].defaults;
    }
    return NULL;
}

/* Every algorithm of this build that is no experiment is fit for use: the default lists name it. */
const char *sp_supported_algorithms(const char *kind)
{
    for (size_t i = 0; kind != NULL && i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strcmp(kind, kinds[i].kind) == 0 && kinds[i].supported != NULL)
            return kinds[i].supported;
    }
    return sp_default_algorithms(kind);
}

int spt_explain(int error, char *reason, size_t size, const char *format, ...)
{
    if (reason != NULL && size > 0) {
        va_list args;
        va_start(args, format);
        vsnprintf(reason, size, format, args);
        va_end(args);
    }
    return error;
}

bool spt_compression_is_delayed(const char *name)
{
    return strcmp(name, "zlib@openssh.com") == 0;
}

/* Steps through a list; each known name goes through `take`, which says whether it is used. Unknown
 * names are an error: a typing mistake must not weaken what is offered. */
typedef bool (*take_name)(sp_config *config, spb_span name, size_t *count);

static int compile_list(sp_config *config, const char *what, const char *list, take_name take,
                        char **text, bool known_only, char *reason, size_t size)
{
    spb_span rest = {(const uint8_t *)list, strlen(list)};
    spb_span name;
    spb_buffer out;
    size_t count = 0;

    spb_buffer_init(&out, &config->env, 4096);
    while (spb_name_next(&rest, &name)) {
        size_t before = count;
        if (count >= SPT_LIST_MAX) {
            spb_buffer_free(&out);
            return spt_explain(SP_EINVAL, reason, size, "too many %s names", what);
        }
        if (!take(config, name, &count)) {
            spb_buffer_free(&out);
            return spt_explain(SP_EINVAL, reason, size, "unknown %s name \"%.*s\"", what,
                               (int)(name.length < 64 ? name.length : 64), (const char *)name.data);
        }
        if (count == before)
            continue; /* known, but nothing here can use it */
        if (out.length > 0)
            spw_u8(&out, ',');
        spw_bytes(&out, name.data, name.length);
    }
    if (count == 0 && known_only) {
        spb_buffer_free(&out);
        return spt_explain(SP_EINVAL, reason, size, "the list of %s names is empty", what);
    }
    *text = spw_ok(&out) ? spb_strndup(&config->env, out.data, out.length) : NULL;
    spb_buffer_free(&out);
    return *text == NULL ? spt_explain(SP_ENOMEM, reason, size, "out of memory") : 0;
}

static bool take_kex(sp_config *config, spb_span name, size_t *count)
{
    const spc_kex *k = spc_kex_find(name);
    if (k != NULL)
        config->kex[(*count)++] = k;
    return k != NULL;
}

static bool take_cipher(sp_config *config, spb_span name, size_t *count)
{
    const spc_cipher *c = spc_cipher_find(name);
    if (c != NULL)
        config->ciphers[(*count)++] = c;
    return c != NULL;
}

static bool take_mac(sp_config *config, spb_span name, size_t *count)
{
    const spc_mac *m = spc_mac_find(name);
    if (m != NULL)
        config->macs[(*count)++] = m;
    return m != NULL;
}

static bool take_compression(sp_config *config, spb_span name, size_t *count)
{
    for (size_t i = 0; compression_name(i) != NULL; i++) {
        if (spb_span_is(name, compression_name(i)) && *count < 3) {
            config->compressions[(*count)++] = compression_name(i);
            return true;
        }
    }
    return false;
}

static bool take_user_algorithm(sp_config *config, spb_span name, size_t *count)
{
    spt_user_algorithm found;
    if (!spt_user_algorithm_find(name, &found))
        return false;
    config->user_algorithms[(*count)++] = found;
    return true;
}

static bool take_ca_signature(sp_config *config, spb_span name, size_t *count)
{
    (void)config; /* names are all that is needed */
    if (spc_signature_find(name) == NULL)
        return false;
    (*count)++;
    return true;
}

static bool take_host_algorithm(sp_config *config, spb_span name, size_t *count)
{
    spt_host_algorithm *found = &config->host_algorithms[*count];
    if (!spt_host_algorithm_find(config, name, found))
        return false;
    *count += found->key != NULL;
    return true;
}

static void set_defaults(sp_protocol_options *o)
{
#define DEFAULT(member, value)                                                                     \
    if (o->member == 0)                                                                            \
    o->member = (value)
    DEFAULT(login_timeout_ms, 120000);
    DEFAULT(keepalive_count, 3);
    DEFAULT(rekey_bytes, (uint64_t)1 << 30);
    DEFAULT(rekey_seconds, 3600);
    DEFAULT(window_size, 2u * 1024 * 1024);
    DEFAULT(window_max, o->window_size > 64u * 1024 * 1024 ? o->window_size : 64u * 1024 * 1024);
    DEFAULT(window_budget, (size_t)128 * 1024 * 1024);
    DEFAULT(packet_size, 32768);
    DEFAULT(write_buffer_high, (size_t)1024 * 1024);
    DEFAULT(write_buffer_low, o->write_buffer_high / 4);
    DEFAULT(max_auth_attempts, 6);
    DEFAULT(max_channels, 1024);
    DEFAULT(max_sessions, 64);
    DEFAULT(rsa_bits_min, SPT_RSA_BITS_MIN);
#undef DEFAULT
    if (o->kex_algorithms == NULL)
        o->kex_algorithms = DEFAULT_KEX;
    if (o->host_key_algorithms == NULL)
        o->host_key_algorithms = DEFAULT_HOST_KEYS;
    if (o->ciphers == NULL)
        o->ciphers = DEFAULT_CIPHERS;
    if (o->macs == NULL)
        o->macs = DEFAULT_MACS;
    if (o->compressions == NULL)
        o->compressions = DEFAULT_COMPRESSIONS;
    if (o->signature_algorithms == NULL)
        o->signature_algorithms = DEFAULT_SIGNATURES;
    if (o->ca_signature_algorithms == NULL)
        o->ca_signature_algorithms = DEFAULT_CA_SIGNATURES;
}

static int check_numbers(const sp_protocol_options *o, char *reason, size_t size)
{
    if (o->packet_size < 1024 || o->packet_size > 65536)
        return spt_explain(SP_EINVAL, reason, size, "packet_size must be 1024 to 65536");
    if (o->window_size < o->packet_size || o->window_max < o->window_size)
        return spt_explain(
            SP_EINVAL, reason, size,
            "window_size must be at least packet_size, window_max at least window_size");
    if (o->window_budget < o->window_size)
        return spt_explain(SP_EINVAL, reason, size, "window_budget must be at least window_size");
    if (o->rekey_bytes < 16)
        return spt_explain(SP_EINVAL, reason, size, "rekey_bytes must be at least 16");
    if (o->rsa_bits_min < SPT_RSA_BITS_MIN || o->rsa_bits_min > SPT_RSA_BITS_MAX)
        return spt_explain(SP_EINVAL, reason, size, "rsa_bits_min must be 2048 to 16384");
    if (o->write_buffer_low >= o->write_buffer_high)
        return spt_explain(SP_EINVAL, reason, size,
                           "write_buffer_low must be below write_buffer_high");
    return 0;
}

static int set_version(sp_config *config, const char *version, char *reason, size_t size)
{
    char text[VERSION_LINE_MAX];
    int length;

    if (version == NULL)
        length = snprintf(text, sizeof text, "SSH-2.0-Sallyport_%s", sp_version());
    else
        length = snprintf(text, sizeof text, "SSH-2.0-%s", version);
    if (length < 0 || length > VERSION_LINE_MAX - 2)
        return spt_explain(SP_EINVAL, reason, size, "the version string is too long");
    for (const char *p = text; *p != '\0'; p++) {
        if (*p < 0x20 || *p > 0x7e)
            return spt_explain(SP_EINVAL, reason, size,
                               "the version string may have printable ASCII only");
    }
    config->version = spb_strdup(&config->env, text);
    return config->version == NULL ? spt_explain(SP_ENOMEM, reason, size, "out of memory") : 0;
}

/* server-sig-algs: the enabled names, and what those of certificates sign with. OpenSSH's client
 * looks for the latter, also where a plain key may not use it. */
static int set_server_sig_algs(sp_config *config, char *reason, size_t size)
{
    spb_buffer out;

    spb_buffer_init(&out, &config->env, 4096);
    spw_bytes(&out, config->signature_list, strlen(config->signature_list));
    for (size_t i = 0; i < SPT_LIST_MAX && config->user_algorithms[i].name != NULL; i++) {
        const char *name = config->user_algorithms[i].signature->name;
        if (out.data == NULL || spb_name_in((spb_span){out.data, out.length}, name))
            continue;
        spw_u8(&out, ',');
        spw_bytes(&out, name, strlen(name));
    }
    config->server_sig_algs = spw_ok(&out) ? spb_strndup(&config->env, out.data, out.length) : NULL;
    spb_buffer_free(&out);
    return config->server_sig_algs == NULL ? spt_explain(SP_ENOMEM, reason, size, "out of memory")
                                           : 0;
}

static int compile(sp_config *config, const sp_protocol_options *o, char *reason, size_t size)
{
    int result = check_numbers(o, reason, size);
    if (result == 0)
        result = set_version(config, o->version, reason, size);
    if (result == 0)
        result = spt_config_keys(config, o, reason, size);
    if (result == 0)
        result = compile_list(config, "key exchange", o->kex_algorithms, take_kex,
                              &config->kex_list, true, reason, size);
    if (result == 0)
        result = compile_list(config, "host key algorithm", o->host_key_algorithms,
                              take_host_algorithm, &config->host_key_list, true, reason, size);
    if (result == 0)
        result = compile_list(config, "cipher", o->ciphers, take_cipher, &config->cipher_list, true,
                              reason, size);
    if (result == 0)
        result =
            compile_list(config, "MAC", o->macs, take_mac, &config->mac_list, true, reason, size);
    if (result == 0)
        result = compile_list(config, "compression", o->compressions, take_compression,
                              &config->compression_list, true, reason, size);
    if (result == 0)
        result = compile_list(config, "signature algorithm", o->signature_algorithms,
                              take_user_algorithm, &config->signature_list, true, reason, size);
    if (result == 0)
        result = compile_list(config, "CA signature algorithm", o->ca_signature_algorithms,
                              take_ca_signature, &config->ca_signature_list, true, reason, size);
    if (result == 0)
        result = set_server_sig_algs(config, reason, size);
    return result;
}

int sp_config_new(sp_config **out, const sp_protocol_options *options, char *reason,
                  size_t reason_size)
{
    spb_env env;

    *out = NULL;
    if (reason != NULL && reason_size > 0)
        reason[0] = '\0';
    if (options == NULL || options->size == 0 || options->size > sizeof *options)
        return spt_explain(SP_EINVAL, reason, reason_size, "the options were not initialised");

    /* An older caller's struct is shorter: what it lacks has its default. */
    sp_protocol_options o;
    memset(&o, 0, sizeof o);
    memcpy(&o, options, options->size);
    set_defaults(&o);

    spb_env_init(&env, &o.allocator);
    env.random = o.random;
    env.log = o.log;
    env.log_ctx = o.log_ctx;
    env.log_level = o.log_level;

    sp_config *config = spb_calloc(&env, 1, sizeof *config);
    if (config == NULL)
        return spt_explain(SP_ENOMEM, reason, reason_size, "out of memory");
    atomic_init(&config->references, 1);
    config->env = env;
    config->options.rsa_bits_min = o.rsa_bits_min; /* host keys are measured by it */
    int result = compile(config, &o, reason, reason_size);
    if (result != 0) {
        sp_config_unref(config);
        return result;
    }
    /* The caller's strings and keys may go; what is left in the copy are numbers. */
    config->options = o;
    config->options.version = NULL;
    config->options.host_keys = NULL;
    config->options.host_certificates = NULL;
    config->options.further_host_keys = NULL;
    config->options.kex_algorithms = NULL;
    config->options.host_key_algorithms = NULL;
    config->options.ciphers = NULL;
    config->options.macs = NULL;
    config->options.compressions = NULL;
    config->options.signature_algorithms = NULL;
    config->options.ca_signature_algorithms = NULL;
    *out = config;
    return 0;
}

uint64_t spt_config_wall_clock(const sp_config *config)
{
    const sp_protocol_options *o = &config->options;
    int64_t now = o->wall_clock != NULL ? o->wall_clock(o->wall_clock_ctx) : (int64_t)time(NULL);

    return now > 0 ? (uint64_t)now : 0;
}

sp_config *sp_config_ref(sp_config *config)
{
    atomic_fetch_add_explicit(&config->references, 1, memory_order_relaxed);
    return config;
}

void sp_config_unref(sp_config *config)
{
    if (config == NULL ||
        atomic_fetch_sub_explicit(&config->references, 1, memory_order_acq_rel) != 1)
        return;
    spb_env env = config->env;
    spt_config_keys_free(config);
    spb_free(&env, config->version);
    spb_free(&env, config->kex_list);
    spb_free(&env, config->host_key_list);
    spb_free(&env, config->cipher_list);
    spb_free(&env, config->mac_list);
    spb_free(&env, config->compression_list);
    spb_free(&env, config->signature_list);
    spb_free(&env, config->ca_signature_list);
    spb_free(&env, config->server_sig_algs);
    spb_free(&env, config);
}
