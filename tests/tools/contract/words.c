/* words.c: what a user name asks for. */
#include "contract.h"

static const char *const handler_words[] = {"begin", "pk",  "pw",  "change", "kbd",  "resp", "done",
                                            "open",  "pty", "env", "shell",  "exec", "sub",  "brk"};

const char *result_name(int result)
{
    switch (result) {
    case 0:
        return "ok";
    case SP_EALREADY:
        return "SP_EALREADY";
    case SP_ECONN:
        return "SP_ECONN";
    case SP_EINVAL:
        return "SP_EINVAL";
    case SP_ESTATE:
        return "SP_ESTATE";
    case SP_ECLOSED:
        return "SP_ECLOSED";
    default:
        return sp_strerror(result);
    }
}

bool is_absent(const app *a, const char *name)
{
    char wanted[64];
    snprintf(wanted, sizeof wanted, ",%s,", name);
    return a->absent != NULL && strstr(a->absent, wanted) != NULL;
}

/* Finds `word` in a user name and copies the parts behind it. */
bool find_word(const char *username, const char *word, char what[16], char when[16])
{
    size_t length = strlen(word);
    strcpy(what, "check");
    strcpy(when, "now");
    if (username == NULL)
        return false;
    for (const char *at = username; at != NULL; at = strchr(at, '.')) {
        at += *at == '.';
        if (strncmp(at, word, length) != 0 ||
            (at[length] != '-' && at[length] != '.' && at[length] != '\0'))
            continue;
        if (at[length] == '-')
            sscanf(at + length + 1, "%15[^.-]-%15[^.-]", what, when);
        return true;
    }
    return false;
}

bool has_words(const char *username)
{
    char what[16], when[16];
    for (size_t i = 0; i < sizeof handler_words / sizeof handler_words[0]; i++)
        if (find_word(username, handler_words[i], what, when))
            return true;
    return false;
}

bool word_is(const char *username, const char *word, const char *value)
{
    char what[16], when[16];
    return find_word(username, word, what, when) && strcmp(what, value) == 0;
}
