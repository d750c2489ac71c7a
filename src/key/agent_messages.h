/* Messages to and from an ssh-agent (draft-miller-ssh-agent 3): listing keys and signing. */
#ifndef SPK_AGENT_MESSAGES_H
#define SPK_AGENT_MESSAGES_H

#include "base/wire.h"

#include <sallyport/key.h>

#define SPK_AGENT_KEYS_MAX ((size_t)1024)

/* Append a request, without the length in front. */
void spk_agent_list_request(spb_buffer *out);
void spk_agent_sign_request(spb_buffer *out, const sp_key *key, const char *algorithm,
                            spb_span data);

/* The keys of an answer; those of unknown kinds are left out. SP_EPROTO: no such answer, or
 * malformed; SP_ELIMIT: too many; SP_ENOMEM. */
int spk_agent_read_list(spb_span reply, sp_key ***keys, size_t *count);
void spk_agent_free_list(sp_key **keys, size_t count);
/* The signature blob in an answer; empty: a refusal, or malformed. */
spb_span spk_agent_read_signature(spb_span reply);

#endif
