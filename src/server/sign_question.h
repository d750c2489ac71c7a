/* What a signing question holds: copies of what is to be signed, and the answer. */
#ifndef SPS_SIGN_QUESTION_H
#define SPS_SIGN_QUESTION_H

#include "server/question.h"

struct sp_sign {
    sps_question q;
    sp_key *key;
    const char *algorithm; /* behind the struct, as the data is */
    const uint8_t *data;
    size_t data_length;
    /* The answer; length 0: refused. */
    size_t length;
    uint8_t signature[SP_SIGNATURE_MAX];
};

#endif
