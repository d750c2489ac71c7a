/* SASLprep (RFC 4013): user names and passwords in one form, whatever the client's keyboard made.
 * Pure ASCII is decided here; all else goes through libidn's tables, and is refused in a build
 * without it. Code points that Unicode 3.2 did not have are let through unchanged, as section 2.5
 * allows for what a client sends ("queries").
 * libidn allocates for itself: its copies of a non-ASCII password are freed without being wiped. */
#include "auth/auth_internal.h"
#include <string.h>
#ifdef SP_HAVE_LIBIDN
#include <stringprep.h>
#endif

typedef enum spa_kind { SPA_KIND_PRINTABLE, SPA_KIND_CONTROL, SPA_KIND_WIDE } spa_kind;

static spa_kind classify(spb_span text)
{
    spa_kind kind = SPA_KIND_PRINTABLE;

    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] < 0x20 || text.data[i] == 0x7f)
            return SPA_KIND_CONTROL; /* prohibited (C.2.1), whatever else there is; also NUL */
        if (text.data[i] >= 0x80)
            kind = SPA_KIND_WIDE;
    }
    return kind;
}

#ifdef SP_HAVE_LIBIDN
/* No character grows to more than 11 times its bytes (U+FDFA) under NFKC. */
#define SPA_GROWTH 12u

static int prepare_wide(spb_span text, spb_buffer *out)
{
    size_t room = text.length * SPA_GROWTH + 1;
    char *at = (char *)spb_buffer_reserve(out, room);

    if (at == NULL)
        return SP_ENOMEM;
    memcpy(at, text.data, text.length);
    at[text.length] = '\0';
    int result = stringprep(at, room, 0, stringprep_saslprep);
    if (result == STRINGPREP_MALLOC_ERROR) {
        sp_zero(at, room);
        return SP_ENOMEM;
    }
    size_t length = result == STRINGPREP_OK ? strnlen(at, room) : 0;
    /* What maps to nothing is not an empty name or password: those must be typed as such. */
    if (length == 0 || length == room) {
        sp_zero(at, room);
        return SP_EFORMAT;
    }
    out->length += length + 1;
    sp_zero(at + length + 1, room - length - 1);
    return 0;
}
#else
static int prepare_wide(spb_span text, spb_buffer *out)
{
    (void)text;
    (void)out;
    return SP_EFORMAT;
}
#endif

int spa_saslprep(spb_span text, spb_buffer *out)
{
    switch (classify(text)) {
    case SPA_KIND_PRINTABLE:
        spw_bytes(out, text.data, text.length);
        spw_u8(out, 0);
        return spw_ok(out) ? 0 : SP_ENOMEM;
    case SPA_KIND_WIDE:
        if (!spb_utf8_valid(text.data, text.length))
            return SP_EFORMAT;
        return prepare_wide(text, out);
    case SPA_KIND_CONTROL:
        break;
    }
    return SP_EFORMAT;
}
