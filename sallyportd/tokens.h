/* tokens.h: the %-tokens in paths of sshd_config(5). */
#ifndef SALLYPORTD_TOKENS_H
#define SALLYPORTD_TOKENS_H

#include "program.h"

/* %h, %u, %U, %%; a relative path begins at the home directory. The caller frees it; NULL: out of
 * memory, or an unknown token. Thread: any. */
char *tokens_expand_path(const char *pattern, const account *a);

/* What the tokens of AuthorizedKeysCommand and AuthorizedPrincipalsCommand stand for. */
typedef struct token_facts {
    const account *account;
    const sp_key *key;
    const sp_cert *cert; /* NULL: a plain key */
    sp_fingerprint_hash hash;
} token_facts;
/* Expands a command's words into `words`. -1: out of memory or an unknown token (logged). */
int tokens_expand_command(const char *command, const token_facts *facts, string_list *words);

#endif
