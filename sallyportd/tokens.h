/* tokens.h: the %-tokens in paths of sshd_config(5). */
#ifndef SALLYPORTD_TOKENS_H
#define SALLYPORTD_TOKENS_H

#include "program.h"

/* %h, %u, %U, %%; a relative path begins at the home directory. The caller frees it; NULL: out of
 * memory, or an unknown token. Thread: any. */
char *tokens_expand_path(const char *pattern, const account *a);

#endif
