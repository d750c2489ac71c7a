/* What an authentication question holds: copies of what is asked, and the answer. */
#ifndef SPS_AUTH_QUESTION_H
#define SPS_AUTH_QUESTION_H

#include "server/question.h"
#include "transport/config.h"

typedef struct sps_challenge {
    sp_challenge challenge;
    sp_prompt prompts[SP_PROMPTS_MAX];
} sps_challenge;

struct sp_auth {
    sps_question q;
    sp_event_type event;
    bool key_signed;
    const char *algorithm; /* of the configuration's table */
    bool as_password;      /* the password is a response to our own keyboard-interactive prompt */
    const char *username;  /* strings live behind the struct and are wiped with it */
    const char *password;
    const char *new_password;
    const char *language;
    const char *submethods;
    sp_key *key;
    sp_key *ca_key;
    sp_cert *cert;
    sp_config *config; /* this and the next two are for options and lists of keys */
    const char *peer;
    uint64_t now;
    const char **responses;
    size_t response_count;
    /* The answer: */
    sp_auth_verdict verdict;
    char *change_prompt; /* with the language behind its NUL */
    sps_challenge *challenge;
    char *options;
    const char **principals; /* in one block with their texts */
    size_t principal_count;
    sp_authorized_keys *authorized;
    bool no_environment;
    /* For begin_auth; set from any thread, taken with the answer. */
    _Atomic(sp_authorized_keys *) user_keys;
    atomic_bool has_user_keys;
};

#endif
