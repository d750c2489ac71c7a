/* tokens.c: expands %-tokens (sshd_config(5), TOKENS). */
#include "tokens.h"

#include <stdlib.h>
#include <string.h>

#include "log.h"

#define KEY_TEXT_MAX 98304 /* a certificate of 64 KiB in base64, with its type */

/* The word of "type base64" that is asked for. */
static char *key_word(const sp_key *key, const sp_cert *cert, bool base64)
{
    char *line = malloc(KEY_TEXT_MAX);
    int length = -1;
    char *word = NULL;

    if (line != NULL)
        length = cert != NULL ? sp_cert_format(cert, NULL, line, KEY_TEXT_MAX)
                              : sp_key_format_public(key, NULL, line, KEY_TEXT_MAX);
    if (length > 0 && length < KEY_TEXT_MAX) {
        char *blank = strchr(line, ' ');
        if (blank != NULL) {
            *blank = '\0';
            word = text_copy(base64 ? blank + 1 : line);
        }
    }
    free(line);
    return word;
}

static char *fingerprint(const sp_key *key, sp_fingerprint_hash hash)
{
    char print[SP_FINGERPRINT_SIZE];

    return sp_key_fingerprint_by(key, hash, print) == 0 ? text_copy(print) : NULL;
}

/* What stands for a token of the certificate. */
static char *cert_text(char token, const token_facts *facts)
{
    const sp_cert *cert = facts->cert;

    switch (token) {
    case 'F':
        return fingerprint(sp_cert_ca_key(cert), facts->hash);
    case 'K':
        return key_word(sp_cert_ca_key(cert), NULL, true);
    case 'T':
        return key_word(sp_cert_ca_key(cert), NULL, false);
    case 'i':
        return text_copy(sp_cert_key_id(cert));
    case 's':
        return text_format("%llu", (unsigned long long)sp_cert_serial(cert));
    default:
        return NULL;
    }
}

/* NULL: there is no such token, or no memory. */
static char *token_text(char token, const token_facts *facts)
{
    switch (token) {
    case '%':
        return text_copy("%");
    case 'h':
        return text_copy(facts->account->home);
    case 'u':
        return text_copy(facts->account->name);
    case 'U':
        return text_format("%lu", (unsigned long)facts->account->uid);
    default:
        break;
    }
    if (facts->key == NULL)
        return NULL;
    switch (token) {
    case 'f':
        return fingerprint(facts->key, facts->hash);
    case 'k':
        return key_word(facts->key, facts->cert, true);
    case 't':
        return key_word(facts->key, facts->cert, false);
    default:
        return facts->cert != NULL ? cert_text(token, facts) : NULL;
    }
}

/* The text between two tokens, or up to the end. */
static size_t plain_length(const char *at)
{
    return strcspn(at, "%");
}

static char *expand(const char *pattern, const token_facts *facts)
{
    char *text = text_copy("");

    for (const char *at = pattern; text != NULL && *at != '\0';) {
        size_t plain = plain_length(at);
        char *meaning = NULL;
        char *longer = NULL;
        if (plain == 0) {
            meaning = token_text(at[1], facts);
            if (meaning == NULL)
                log_error("%s: nothing stands for %%%c", pattern, at[1] != '\0' ? at[1] : ' ');
            else
                longer = text_format("%s%s", text, meaning);
            at += at[1] != '\0' ? 2 : 1;
        } else {
            longer = text_format("%s%.*s", text, (int)plain, at);
            at += plain;
        }
        free(meaning);
        free(text);
        text = longer;
    }
    return text;
}

char *tokens_expand_path(const char *pattern, const account *a)
{
    const token_facts facts = {.account = a};
    char *path = expand(pattern, &facts);

    if (path != NULL && *path != '/') {
        char *absolute = text_format("%s/%s", a->home, path);
        free(path);
        path = absolute;
    }
    return path;
}

int tokens_expand_command(const char *command, const token_facts *facts, string_list *words)
{
    string_list plain = {NULL, 0};
    int result = text_split(&plain, command) == 0 && plain.count > 0 ? 0 : -1;

    for (size_t i = 0; result == 0 && i < plain.count; i++) {
        char *word = expand(plain.items[i], facts);
        result = word != NULL ? list_add(words, word) : -1;
        free(word);
    }
    list_clear(&plain);
    return result;
}
