/* The options in front of a key in authorized_keys (sshd(8) AUTHORIZED_KEYS FILE FORMAT). */
#ifndef SPK_KEY_OPTIONS_H
#define SPK_KEY_OPTIONS_H

#include "key/permissions_internal.h"

#define SPK_OPTION_REASON_SIZE ((size_t)128)

/* What the options of one line say. */
typedef struct spk_key_options {
    bool ca;
    uint64_t expires; /* seconds since 1970, the last that is good; UINT64_MAX: never */
    char *from;       /* NULL: from anywhere */
    char **principals;
    size_t principal_count;
    bool has_principals; /* the option was given, perhaps empty */
    spk_permissions *permissions;
} spk_key_options;

/* Reads options without the blanks around them. 0; SP_EFORMAT: `reason` gets an English text;
 * SP_ENOMEM. On failure there is nothing to free. */
int spk_key_options_parse(spk_key_options *out, spb_span text, char reason[SPK_OPTION_REASON_SIZE]);
void spk_key_options_free(spk_key_options *o);

/* expiry_time.c: YYYYMMDD or YYYYMMDDHHMM[SS], local time or, with a Z behind it, UTC; seconds
 * since 1970. False: malformed, no such day or time, or before 1970. */
bool spk_expiry_time(const char *text, uint64_t *seconds);

#endif
