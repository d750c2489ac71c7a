/* Fuzzer: internal-sftp's flags and names in sallyportd's log. Flags that are understood must keep
 * to their ranges; a name must come out as one quoted text of printable ASCII. */
#include "../../sallyportd/sftpflags.h"
#include "../../sallyportd/tokens.h"
#include "../../sallyportd/transferlog.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void check_flags(const char *text)
{
    option_problem problem;
    sftp_flags flags;
    if (!is_internal_sftp(text) || !sftp_flags_parse(&flags, text, &problem))
        return;
    check(flags.umask == NOT_GIVEN || flags.umask <= 0777);
    check(flags.start == NULL || tokens_known(flags.start));
    sftp_flags_clear(&flags);
}

static void check_name(const char *text)
{
    char out[LOG_NAME_MAX];
    log_name(out, text);
    size_t end = strlen(out);
    check(out[0] == '"' && end < sizeof out);
    if (end > 4 && out[end - 1] != '"') {
        check(strcmp(out + end - 4, "\"...") == 0 && strlen(text) > 100);
        end -= 3;
    }
    check(end >= 2 && out[end - 1] == '"');
    for (size_t i = 1; i < end - 1; i++) {
        check(out[i] >= 0x20 && out[i] < 0x7f && out[i] != '"');
        if (out[i] == '\\')
            i++; /* whatever it is, it ends nothing */
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    check(text != NULL);
    if (size != 0)
        memcpy(text, data, size);
    text[size] = '\0';
    check_flags(text);
    check_name(text);
    free(text);
    return 0;
}
