/* command.h: programs that are asked about keys (AuthorizedKeysCommand,
 * AuthorizedPrincipalsCommand). */
#ifndef SALLYPORTD_COMMAND_H
#define SALLYPORTD_COMMAND_H

#include "tokens.h"

/* What the command writes, with a NUL behind it; the caller frees it. NULL: it could not be run,
 * took too long, wrote too much or failed (logged, under the name `what`). `user` must be the one
 * that this server runs as. Blocks. Thread: any. */
char *command_output(const char *what, const char *command, const char *user,
                     const token_facts *facts, size_t *length);

#endif
