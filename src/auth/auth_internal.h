/* The inside of the user authentication service: its states, the request being answered, and what
 * a method's file offers (RFC 4252 5). Only src/auth includes this.
 *
 * At any time there is at most one request being answered, one open question, one reply that waits
 * for its time, and (only behind such a reply) one parked request. */
#ifndef SPA_AUTH_INTERNAL_H
#define SPA_AUTH_INTERNAL_H

#include "auth/auth.h"
#include "key/authorized.h"
#include "key/cert.h"

/* Bounds of what a peer may send; whatever is longer is a protocol error. */
#define SPA_USERNAME_MAX ((size_t)1024)
#define SPA_NAME_MAX ((size_t)64)     /* service, method, algorithm */
#define SPA_SECRET_MAX ((size_t)4096) /* a password or a response */
#define SPA_BLOB_MAX ((size_t)16384)  /* a key or a signature */
#define SPA_LANGUAGE_MAX ((size_t)64)
#define SPA_SUBMETHODS_MAX ((size_t)1024)
#define SPA_STORE_MAX ((size_t)512 * 1024)
/* Requests that are not failures (queries that were answered well, partial successes) have to end
 * as well: so many more than the failures that are allowed. */
#define SPA_EXTRA_REQUESTS 128u
#define SPA_ROUNDS_MAX 1000u /* keyboard-interactive challenges in one connection */
#define SPA_DONE_KEYS_MAX 8u /* keys that count as partial successes */
/* Bounds of what the application sends. */
#define SPA_TEXT_MAX ((size_t)32000)
/* Failures go out at multiples of this after the request came. */
#define SPA_SCHEDULE_MS 25u
#define SPA_REASON_SIZE 128

typedef enum spa_state {
    SPA_IDLE = 0,     /* the client's turn: a request */
    SPA_BEGIN,        /* AUTH_BEGIN is open */
    SPA_METHODS_TRY,  /* AUTH_METHODS is open: may this method be tried? */
    SPA_VERDICT,      /* the method's own question is open */
    SPA_METHODS_LIST, /* AUTH_METHODS is open: what goes into the failure's list? */
    SPA_WAITING,      /* a decided failure waits for its time */
    SPA_CHALLENGED,   /* the client's turn: INFO_RESPONSE, or a new request */
    SPA_COMPLETING,   /* SUCCESS was sent, AUTH_COMPLETED is open */
    SPA_DONE,         /* channels may be served */
} spa_state;

/* What the application knows of the current user name. */
typedef enum spa_user {
    SPA_USER_NEW = 0, /* AUTH_BEGIN was not answered yet */
    SPA_USER_BEGUN,   /* authentication is required */
} spa_user;

typedef enum spa_fitness {
    SPA_FIT = 0,
    SPA_UNFIT, /* can't be prepared (RFC 4013), so it matches nothing: fails without being asked */
} spa_fitness;

typedef struct spa_request spa_request;

/* A method: one const table in each method's file. */
typedef struct spa_method {
    const char *name;
    unsigned bit;   /* SP_METHOD_...; 0: can't succeed by itself */
    bool scheduled; /* its failures go out on the schedule */
    /* Reads the method's fields to the end of the message and keeps what the question needs.
     * `start` is where the request began. 0, SP_EPROTO (malformed) or SP_ENOMEM. */
    int (*parse)(const spa_auth *a, spa_request *q, spb_reader *r, const uint8_t *start);
    /* Opens the method's question, or fails the attempt. */
    int (*ask)(spa_auth *a);
    /* Is this a form of answer to the open question? */
    bool (*fits)(const spa_auth *a, const sp_auth_reply *reply);
    /* Acts on an answer that fits. 0 or the result of spt_fail. */
    int (*decide)(spa_auth *a, const sp_auth_reply *reply);
} spa_method;

/* One USERAUTH_REQUEST, with all that its question lends to the application. */
struct spa_request {
    const spa_method *method; /* NULL: no request */
    spb_buffer name;          /* the prepared user name and a NUL; empty when it is unfit */
    spa_fitness name_fitness;
    spa_fitness fitness; /* of the method's fields */
    bool counted;        /* it is, or by design never becomes, one of the failures */
    uint64_t arrival;    /* for the schedule */
    spb_buffer store;    /* secret; the members below are offsets into it */

    /* publickey */
    bool is_signed;
    bool other_host; /* host-bound, and not to the key of our first exchange */
    sp_key *key;     /* NULL until asked; a certificate's is the one that it certifies */
    sp_cert *cert;   /* NULL: a plain key */
    const spt_user_algorithm *algorithm; /* NULL: not enabled */
    char refusal[SPA_REASON_SIZE];       /* why the authorized keys do not have it */
    size_t algorithm_at, algorithm_length;
    size_t blob_at, blob_length;
    size_t signed_length; /* of the bytes at 0 that the signature is over */
    size_t signature_at, signature_length;

    /* password */
    bool change;
    size_t password_at, new_password_at;

    /* keyboard-interactive */
    size_t language_at, submethods_at;
    size_t response_count;
    size_t responses_at[SP_PROMPTS_MAX];
};

struct spa_auth {
    spt_transport *transport;
    const spb_env *env;
    const spa_trust *trust;
    spa_state state;

    spb_buffer name; /* the user being tried; data NULL: no request yet */
    spa_fitness name_fitness;
    spa_user user;

    spa_request request;
    spa_request parked; /* in SPA_WAITING only */

    uint64_t counter;    /* of questions */
    uint64_t question;   /* open; 0: none */
    sp_event_type asked; /* its type */
    bool delivered;      /* the caller has its event */
    uint64_t last_answered;
    uint64_t canceled; /* a delivered question that was abandoned; told next */

    unsigned allowed; /* the latest answer to AUTH_METHODS, less what is done */
    bool partial;     /* the reply being made is a partial success */
    uint64_t due;     /* SPA_WAITING: when it goes out */
    uint32_t requests;
    uint32_t failures;

    /* Partial successes of the current user (RFC 4252 5.1). */
    unsigned done_methods; /* but publickey, which counts by key */
    sp_key *done_keys[SPA_DONE_KEYS_MAX];
    size_t done_key_count;
    spk_permissions *permitted; /* what all of them permit; NULL: there are none yet */
    bool no_environment;        /* one of them said so */

    /* Instead of the trust's list, for the current user. */
    sp_authorized_keys *authorized;
    bool own_authorized;

    /* What the current user may sign with, instead of all that is enabled; NULL: all. */
    char *algorithms;
    bool first_user_known; /* the answer to the first AUTH_BEGIN has come */

    spk_permissions *granted; /* after success */

    uint32_t rounds;
    size_t prompt_count; /* of the last challenge */
    uint32_t echo;       /* bit n: its prompt n shows what is typed */
    const char *responses[SP_PROMPTS_MAX];
};

extern const spa_method spa_method_none;
extern const spa_method spa_method_unknown;
extern const spa_method spa_method_public_key;
extern const spa_method spa_method_host_bound;
extern const spa_method spa_method_password;
extern const spa_method spa_method_kbdint;

/* Both methods that prove the possession of a key. */
static inline bool spa_by_key(const spa_request *q)
{
    return q->method->bit == SP_METHOD_PUBLIC_KEY;
}

/* ---- request.c ---- */
void spa_request_init(spa_request *q, const spb_env *env);
/* Parses a whole USERAUTH_REQUEST. 0, or the result of spt_fail; `q` is to be freed either way. */
int spa_request_parse(spa_auth *a, spa_request *q, spb_reader *r);
/* Wipes and frees what the question lent; method and times stay. */
void spa_request_wipe(spa_request *q);
void spa_request_free(spa_request *q); /* all of it; usable again after spa_request_init */
/* Keeps text as a NUL-terminated string in the store. SP_EFORMAT: not UTF-8, or a NUL inside. */
int spa_keep_text(spa_request *q, spb_span text, size_t *at);
/* The same after SASLprep. */
int spa_keep_prepared(spa_request *q, spb_span text, size_t *at);
const char *spa_kept(const spa_request *q, size_t at);

/* ---- auth.c ---- */
int spa_ask(spa_auth *a, spa_state state, sp_event_type type);
/* A user name that is not the one before: nothing of the older attempts survives. */
void spa_flush(spa_auth *a);
/* Begins to answer a->request. */
int spa_start(spa_auth *a);

/* ---- reply.c: how an attempt ends. Each returns 0 or the result of spt_fail ---- */
/* The proof is good: success, or partial success, which records the method as done. What it permits
 * (taken over) and what the proofs before it do is narrowed to what all permit. */
int spa_proven(spa_auth *a, const sp_auth_reply *reply, spk_permissions *permitted);
/* The same for an answer that says itself what is permitted. */
int spa_accept(spa_auth *a, const sp_auth_reply *reply);
int spa_reject(spa_auth *a, const char *why); /* asks for the list first; `why` for the log */
int spa_refuse(spa_auth *a, const char *why); /* a->allowed is fresh already */
int spa_reply_failure(spa_auth *a);           /* sends it with a->allowed when its time comes */
int spa_reply_due(spa_auth *a);               /* its time has come */
/* Counts the request as a failure, once. False: that was the last one allowed. */
bool spa_count_failure(spa_auth *a, spa_request *q);
int spa_too_many(spa_auth *a);
int spa_no_memory(spa_auth *a);
bool spa_key_done(const spa_auth *a, const sp_key *key);
/* UTF-8 of a bounded length? NULL is good: an empty text. */
bool spa_text_good(const char *text, size_t max);
bool spa_language_good(const char *language);

/* ---- authorize.c ---- */
const sp_authorized_keys *spa_authorized(const spa_auth *a); /* NULL: none */
void spa_forget_authorized(spa_auth *a);
spk_peer spa_peer(const spa_auth *a);
bool spa_algorithm_allowed(const spa_auth *a, const char *name);
/* What of the request's key and certificate is revoked; NULL: nothing. */
const char *spa_revoked(const spa_auth *a, const spa_request *q);
/* What the answer permits: 0, SP_ENOMEM, or another error with the reason why not. */
int spa_reply_permits(spa_auth *a, const sp_auth_reply *reply, spk_permissions **permitted,
                      const char **why);
/* Can the open question be answered with these options, principals and lists? */
bool spa_reply_good(const spa_auth *a, const sp_auth_reply *reply);

/* ---- method_kbdint.c ---- */
int spa_kbdint_response(spa_auth *a, spb_reader *r);

/* ---- saslprep.c ---- */
/* Appends the prepared form of `text` (RFC 4013) and a NUL. 0, SP_EFORMAT (can't be prepared;
 * nothing is appended) or SP_ENOMEM. */
int spa_saslprep(spb_span text, spb_buffer *out);

#endif
