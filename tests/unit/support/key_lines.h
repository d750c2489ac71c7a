/* Lists of authorized keys made line by line, and who asks them. */
#ifndef KEY_LINES_H
#define KEY_LINES_H

#include "key/authorized.h"

#include "cert_stand.h"

static sp_key *user, *ca, *stranger; /* who is listed, who signs, who does neither */
static char user_line[256], ca_line[256];
static char reported[160];
static unsigned report_count;

static inline void note(void *ctx, unsigned line, const char *reason)
{
    (void)ctx;
    (void)line;
    report_count++;
    (void)snprintf(reported, sizeof reported, "%s", reason);
}

static inline sp_authorized_keys *list_of(const char *format, ...)
{
    char text[16384];
    sp_authorized_keys *list;
    va_list args;

    va_start(args, format);
    int length = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    report_count = 0;
    reported[0] = '\0';
    assert_int_equal(sp_authorized_keys_parse(&list, text, (size_t)length, note, NULL), 0);
    return list;
}

static inline spk_peer from_home(void)
{
    return (spk_peer){.user = "alice", .address = "192.0.2.7", .now = 1000};
}

static inline int set_up(void **unused)
{
    (void)unused;
    if (cert_folder_make() != 0 || sp_key_generate(&user, SP_KEY_ED25519, 0) != 0 ||
        sp_key_generate(&ca, SP_KEY_ED25519, 0) != 0 ||
        sp_key_generate(&stranger, SP_KEY_ED25519, 0) != 0)
        return -1;
    (void)sp_key_format_public(user, "user@host", user_line, sizeof user_line);
    (void)sp_key_format_public(ca, "ca", ca_line, sizeof ca_line);
    return 0;
}

static inline int tear_down(void **unused)
{
    (void)unused;
    sp_key_unref(user);
    sp_key_unref(ca);
    sp_key_unref(stranger);
    folder_remove();
    return 0;
}

#endif
