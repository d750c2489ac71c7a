/* sallyport/protocol.h: numbers and plain values of the protocol that applications meet, and the
 * options that one server's connections share.
 * Sources: RFC 4250, RFC 4253, RFC 4254, RFC 8308, OpenSSH PROTOCOL. */
#ifndef SALLYPORT_PROTOCOL_H
#define SALLYPORT_PROTOCOL_H

#include <sallyport/key.h>
#include <sallyport/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* RFC 4253 11.1 */
typedef enum sp_disconnect_code {
    SP_DISCONNECT_HOST_NOT_ALLOWED_TO_CONNECT = 1,
    SP_DISCONNECT_PROTOCOL_ERROR = 2,
    SP_DISCONNECT_KEY_EXCHANGE_FAILED = 3,
    SP_DISCONNECT_RESERVED = 4,
    SP_DISCONNECT_MAC_ERROR = 5,
    SP_DISCONNECT_COMPRESSION_ERROR = 6,
    SP_DISCONNECT_SERVICE_NOT_AVAILABLE = 7,
    SP_DISCONNECT_PROTOCOL_VERSION_NOT_SUPPORTED = 8,
    SP_DISCONNECT_HOST_KEY_NOT_VERIFIABLE = 9,
    SP_DISCONNECT_CONNECTION_LOST = 10,
    SP_DISCONNECT_BY_APPLICATION = 11,
    SP_DISCONNECT_TOO_MANY_CONNECTIONS = 12,
    SP_DISCONNECT_AUTH_CANCELLED_BY_USER = 13,
    SP_DISCONNECT_NO_MORE_AUTH_METHODS_AVAILABLE = 14,
    SP_DISCONNECT_ILLEGAL_USER_NAME = 15,
} sp_disconnect_code;

/* RFC 4254 5.1 */
typedef enum sp_open_failure {
    SP_OPEN_ADMINISTRATIVELY_PROHIBITED = 1,
    SP_OPEN_CONNECT_FAILED = 2,
    SP_OPEN_UNKNOWN_CHANNEL_TYPE = 3,
    SP_OPEN_RESOURCE_SHORTAGE = 4,
} sp_open_failure;

/* RFC 4254 5.2: the type of channel data. 0 is the stream itself. */
#define SP_DATA_NORMAL 0u
#define SP_DATA_STDERR 1u

/* Methods of user authentication, as a set. */
#define SP_METHOD_PUBLIC_KEY 1u
#define SP_METHOD_PASSWORD 2u
#define SP_METHOD_KBDINT 4u

/* RFC 4254 6.2: characters and pixels; 0 where the client did not say. */
typedef struct sp_term_size {
    uint32_t columns;
    uint32_t rows;
    uint32_t width;
    uint32_t height;
} sp_term_size;

/* RFC 4254 8: one terminal mode, opcode 1 to 159. */
typedef struct sp_term_mode {
    uint8_t opcode;
    uint32_t value;
} sp_term_mode;

typedef struct sp_term_modes {
    const sp_term_mode *modes; /* in the order sent; no opcode twice (the last one stands) */
    size_t count;
    uint32_t input_speed;  /* TTY_OP_ISPEED; 0: not given */
    uint32_t output_speed; /* TTY_OP_OSPEED; 0: not given */
} sp_term_modes;

/* A keyboard-interactive challenge (RFC 4256 3.2). Strings may be NULL: empty. */
typedef struct sp_prompt {
    const char *text;
    bool echo; /* may the client show what is typed? */
} sp_prompt;

#define SP_PROMPTS_MAX 32
typedef struct sp_challenge {
    const char *name;
    const char *instructions;
    const char *language;
    const sp_prompt *prompts; /* none: a message only; the client answers with no responses */
    size_t prompt_count;      /* up to SP_PROMPTS_MAX */
} sp_challenge;

/* What was negotiated for a connection; names are lent and live as long as the connection. */
typedef struct sp_algorithms {
    const char *kex;
    const char *host_key;
    const char *cipher_in; /* client to server */
    const char *cipher_out;
    const char *mac_in; /* "<implicit>" for an authenticated cipher */
    const char *mac_out;
    const char *compression_in;
    const char *compression_out;
    bool strict_kex;
} sp_algorithms;

/* A source of randomness for packet padding, cookies and ephemeral X25519 keys. Must fill the
 * buffer with unpredictable bytes; false fails the connection. NULL: libcrypto's. For tests and
 * replay. */
typedef struct sp_random {
    void *ctx;
    bool (*fill)(void *ctx, void *buffer, size_t length);
} sp_random;

struct sp_cert;

/* What the connections of one server have in common. Read once by sp_config_new; nothing in it
 * needs to live longer.
 *
 * Algorithms: `preset` chooses a list of each kind ("modern", "compatible" or "fips"; the guide's
 * page on algorithms has them; NULL: "modern"). Each list here is NULL, the preset's, or names with
 * commas between, best first, as in sshd_config: names and patterns (* and ?); or with a prefix,
 * and behind it what to add to the preset's list (+), to take out of it (-), or to put first (^).
 */
typedef struct sp_protocol_options {
    size_t size;
    const char *version;      /* after "SSH-2.0-"; NULL: "Sallyport_<version>" */
    sp_key *const *host_keys; /* private, or external (sp_key_new_external) */
    size_t host_key_count;    /* at least 1; one per type */
    const char *kex_algorithms;
    const char *host_key_algorithms;
    const char *ciphers;
    const char *macs;
    const char *compressions; /* "none", "zlib@openssh.com"; "zlib" works before login, too */
    const char *signature_algorithms; /* for public key authentication, also by certificate */

    uint32_t login_timeout_ms;      /* from accept to success; 0: 120000; UINT32_MAX: none */
    uint32_t keepalive_interval_ms; /* of silence after login; 0: no keepalives */
    uint32_t keepalive_count;       /* unanswered ones until the connection is lost; 0: 3 */
    uint64_t rekey_bytes;           /* in either direction; 0: 1 GiB; 16 at the least */
    uint32_t rekey_seconds;         /* 0: 3600; UINT32_MAX: never by time */

    uint32_t window_size;     /* initial receive window; 0: 2 MiB */
    uint32_t window_max;      /* it may grow to this; 0: 64 MiB */
    size_t window_budget;     /* of all channels of a connection together; 0: 128 MiB */
    uint32_t packet_size;     /* largest channel data we take; 0: 32768; up to 65536 */
    size_t write_buffer_high; /* bytes a channel holds for a slow peer; 0: 1 MiB */
    size_t write_buffer_low;  /* where writing resumes; 0: a quarter of high */

    uint32_t max_auth_attempts; /* failures until disconnection; 0: 6 */
    uint32_t max_channels;      /* open at once in one connection; 0: 1024 */
    uint32_t max_sessions;      /* of these, sessions; 0: 64 */

    sp_allocator allocator;
    sp_random random;
    sp_log_fn log;
    void *log_ctx;
    sp_log_level log_level; /* SP_LOG_QUIET (0) logs nothing */

    /* What certificates of clients may be signed with (OpenSSH PROTOCOL.certkeys). */
    const char *ca_signature_algorithms;
    /* Seconds since 1970, for the validity of certificates and expiry-time of keys; NULL: time().
     * Everything else goes by the monotonic clock. Negative counts as 0. Thread: a connection's. */
    int64_t (*wall_clock)(void *ctx);
    void *wall_clock_ctx;
    /* Host certificates (OpenSSH PROTOCOL.certkeys), each for one of `host_keys`; at most one for
     * each key. They are offered before the plain keys. */
    const struct sp_cert *const *host_certificates;
    size_t host_certificate_count;

    /* Host key rotation (OpenSSH PROTOCOL 2.5): after login a client is told of all host keys, and
     * the server proves that it has them. Further host keys to be told of, private or external, any
     * number of a type; they are not used in the key exchange. With `host_keys` at most 32. */
    sp_key *const *further_host_keys;
    size_t further_host_key_count;
    bool no_host_key_rotation; /* tells of none */

    const char *preset; /* of the algorithms; NULL: "modern" */
    /* The primes for diffie-hellman-group-exchange-sha256: the text of a moduli(5) file, of which
     * those of 2048 to 8192 bits are used. NULL, or none in it: the groups 14, 16 and 18 of RFC
     * 3526. Bad lines are passed over and logged. */
    const char *moduli;
    size_t moduli_length; /* up to 4 MiB */
    /* For those who drive an engine themselves: what takes long in a key exchange is asked for with
     * SP_EVENT_COMPUTE, not done in between. A server does so always. */
    bool compute_elsewhere;

    /* Clients' security keys. Each signature needs the touch unless the key's options (or the
     * grant's, see <sallyport/auth.h>) and its certificate waive it with "no-touch-required", and
     * the user's verification (a PIN) where one of them has "verify-required". These demand it
     * whatever those say, as sshd's PubkeyAuthOptions. */
    bool touch_required;
    bool verify_required;
    /* RSA keys of clients, of their CAs and of this host are refused below so many bits. 0: 2048,
     * which is the least: shorter keys are never taken. */
    uint32_t rsa_bits_min;
} sp_protocol_options;

#define SP_PROTOCOL_OPTIONS_INIT .size = sizeof(sp_protocol_options)

/* Limits of one connection in place of its server's (sp_conn_set_limits). 0: as it is. */
typedef struct sp_limits {
    size_t size;
    uint32_t max_auth_attempts;     /* failures, those that were counted included */
    uint32_t keepalive_interval_ms; /* UINT32_MAX: no keepalives */
    uint32_t keepalive_count;
    uint64_t rekey_bytes;   /* 16 at the least */
    uint32_t rekey_seconds; /* from the last key exchange; UINT32_MAX: never by time */
} sp_limits;
#define SP_LIMITS_INIT                                                                             \
    {                                                                                              \
        .size = sizeof(sp_limits)                                                                  \
    }

/* Algorithm lists, or NULL for an unknown kind or preset. Kinds: "kex", "key" (host key), "cipher",
 * "mac", "compression", "sig" (public key authentication), "ca-sig" (certificates' signers).
 * Thread: any. */
SP_API const char *sp_default_algorithms(const char *kind); /* those of "modern" */
SP_API const char *sp_preset_algorithms(const char *preset, const char *kind);
/* All that this build has, in the same form: also what is experimental and in no preset. */
SP_API const char *sp_supported_algorithms(const char *kind);
/* What a list of sp_protocol_options stands for with this preset. SP_EINVAL: an unknown name, or
 * nothing is left; SP_ELIMIT: `out` (`size` bytes with the NUL; 2048 are plenty) is too small;
 * SP_ENOMEM. `reason` as in sp_config_new. Thread: any. */
SP_API int sp_resolve_algorithms(const char *preset, const char *kind, const char *list, char *out,
                                 size_t size, char *reason, size_t reason_size);

/* Compiled, immutable, counted options. Thread: any. */
typedef struct sp_config sp_config;

/* Errors: SP_EINVAL (no host key, a list that names nothing known, sizes out of range, a host
 * certificate that is none of a host or for none of the keys), SP_ENOMEM.
 * `reason`, if not NULL, gets an English sentence (up to `reason_size`). */
SP_API int sp_config_new(sp_config **config, const sp_protocol_options *options, char *reason,
                         size_t reason_size);
SP_API sp_config *sp_config_ref(sp_config *config);
SP_API void sp_config_unref(sp_config *config);

#ifdef __cplusplus
}
#endif
#endif
