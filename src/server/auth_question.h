/* What an authentication question holds: copies of what is asked, and the answer. */
#ifndef SPS_AUTH_QUESTION_H
#define SPS_AUTH_QUESTION_H

#include "server/question.h"

typedef struct sps_challenge {
    sp_challenge challenge;
    sp_prompt prompts[SP_PROMPTS_MAX];
} sps_challenge;

struct sp_auth {
    sps_question q;
    sp_event_type event;
    bool key_signed;
    bool as_password;     /* the password is a response to our own keyboard-interactive prompt */
    const char *username; /* strings live behind the struct and are wiped with it */
    const char *password;
    const char *new_password;
    const char *language;
    const char *submethods;
    sp_key *key;
    const char **responses;
    size_t response_count;
    /* The answer: */
    sp_auth_verdict verdict;
    char *change_prompt; /* with the language behind its NUL */
    sps_challenge *challenge;
};

#endif
