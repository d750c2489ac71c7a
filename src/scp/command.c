/* A client's scp command into options and paths. Clients write it for the user's shell
 * (POSIX.1-2017 XCU 2.2, 2.6); of a shell's syntax only what can't do anything else than name files
 * is known here: blanks, quotes, backslash, "~" and the characters of patterns. Everything else is
 * refused, not taken as it stands: what a shell would have expanded must not become a file's name.
 */
#include "scp/command.h"

#include <stdio.h>
#include <string.h>

/* ---- words ---- */

typedef struct splitter {
    const spb_env *env;
    const char *at;
    char *text;    /* room for the whole command */
    char *pattern; /* twice that */
    size_t text_length;
    size_t pattern_length;
    bool any;    /* there is a word, perhaps an empty one */
    bool active; /* it has a pattern's character */
    bool tilde;
    char *reason;
} splitter;

static bool refuse(splitter *s, const char *why)
{
    (void)snprintf(s->reason, SPP_REASON_MAX, "%s", why);
    return false;
}

static void put(splitter *s, char c, bool quoted)
{
    bool special = c == '*' || c == '?' || c == '[';
    if (quoted && (special || c == ']' || c == '\\' || c == '-' || c == '!' || c == '^'))
        s->pattern[s->pattern_length++] = '\\';
    s->active = s->active || (special && !quoted);
    s->pattern[s->pattern_length++] = c;
    s->text[s->text_length++] = c;
    s->any = true;
}

static bool is_control(char c)
{
    return ((unsigned char)c < 0x20 && c != '\t') || c == 0x7f;
}

static bool take_single(splitter *s)
{
    s->any = true;
    for (s->at++; *s->at != '\''; s->at++) {
        if (*s->at == '\0')
            return refuse(s, "unmatched '");
        put(s, *s->at, true);
    }
    s->at++;
    return true;
}

/* Within double quotes a backslash is one unless a character follows that it can quote. */
static bool take_double(splitter *s)
{
    s->any = true;
    for (s->at++; *s->at != '"'; s->at++) {
        if (*s->at == '\0')
            return refuse(s, "unmatched \"");
        if (*s->at == '$' || *s->at == '`')
            return refuse(s, "expansions of a shell are not known here");
        if (*s->at == '\\' && s->at[1] != '\0' && strchr("$`\"\\", s->at[1]) != NULL)
            s->at++;
        put(s, *s->at, true);
    }
    s->at++;
    return true;
}

static bool take_plain(splitter *s)
{
    char c = *s->at++;
    if (c == '\\') {
        if (*s->at == '\0')
            return refuse(s, "a backslash at the end");
        put(s, *s->at++, true);
        return true;
    }
    if (strchr(";&|<>()$`{}", c) != NULL || (c == '#' && !s->any))
        return refuse(s, "syntax of a shell that is not known here");
    if (c == '~' && !s->any)
        s->tilde = true;
    put(s, c, false);
    return true;
}

/* The next word into `text` and `pattern`. `*found` false: there is none. */
static bool next_word(splitter *s, bool *found)
{
    s->text_length = 0;
    s->pattern_length = 0;
    s->any = false;
    s->active = false;
    s->tilde = false;
    while (*s->at == ' ' || *s->at == '\t')
        s->at++;
    while (*s->at != '\0' && *s->at != ' ' && *s->at != '\t') {
        bool good = *s->at == '\''  ? take_single(s)
                    : *s->at == '"' ? take_double(s)
                                    : take_plain(s);
        if (!good)
            return false;
    }
    s->text[s->text_length] = '\0';
    *found = s->any;
    return true;
}

static bool splitter_init(splitter *s, const spb_env *env, const char *text, char *reason)
{
    size_t length = strlen(text);
    memset(s, 0, sizeof *s);
    s->env = env;
    s->at = text;
    s->reason = reason;
    s->text = spb_alloc(env, length + 1);
    s->pattern = spb_alloc(env, 2 * length + 1);
    return s->text != NULL && s->pattern != NULL;
}

static void splitter_free(splitter *s)
{
    spb_free(s->env, s->text);
    spb_free(s->env, s->pattern);
}

/* ---- options ---- */

/* One word of options, without its "-". */
static bool take_options(spp_command *command, const char *letters, bool *sink, bool *source)
{
    for (; *letters != '\0'; letters++) {
        switch (*letters) {
        case 't':
            *sink = true;
            break;
        case 'f':
            *source = true;
            break;
        case 'r':
            command->recursive = true;
            break;
        case 'p':
            command->preserve = true;
            break;
        case 'd':
            command->directory = true;
            break;
        case 'v': /* it would talk to stderr */
        case 'q':
            break;
        default:
            return false;
        }
    }
    return true;
}

/* The words before the paths; the first path is the splitter's word then. */
static bool take_head(spp_command *command, splitter *s)
{
    bool found, sink = false, source = false;
    if (!next_word(s, &found))
        return false;
    if (!found || strcmp(s->text, "scp") != 0)
        return refuse(s, "not an scp command");
    for (;;) {
        if (!next_word(s, &found))
            return false;
        if (!found || s->text[0] != '-' || s->text[1] == '\0')
            break;
        if (strcmp(s->text, "--") == 0) {
            if (!next_word(s, &found))
                return false;
            break;
        }
        if (!take_options(command, s->text + 1, &sink, &source))
            return refuse(s, "an option that is not known");
    }
    if (sink == source)
        return refuse(s, "one of -t and -f is needed");
    command->sink = sink;
    return found ? true : refuse(s, "a path is missing");
}

/* ---- paths ---- */

static bool is_long_pattern(const splitter *s)
{
    size_t length = 0;
    for (size_t i = 0; i < s->pattern_length && length <= SPP_COMPONENT_MAX; i++)
        length = s->pattern[i] == '/' ? 0 : length + 1;
    return s->active && length > SPP_COMPONENT_MAX;
}

static bool add_word(spp_command *command, splitter *s, size_t *room)
{
    if (command->count == SPP_WORDS_MAX || (command->sink && command->count != 0))
        return refuse(s, command->sink ? "ambiguous target" : "too many paths");
    if (command->sink && s->active)
        return refuse(s, "a pattern can't be a target");
    if (is_long_pattern(s))
        return refuse(s, "a pattern is too long");
    if (command->count == *room) {
        size_t more = *room == 0 ? 4 : 2 * *room;
        spp_word *words = spb_realloc(s->env, command->words, more * sizeof *words);
        if (words == NULL)
            return false;
        command->words = words;
        *room = more;
    }
    spp_word *word = &command->words[command->count];
    memset(word, 0, sizeof *word);
    word->tilde = s->tilde;
    word->text = spb_strdup(s->env, s->text);
    if (word->text == NULL)
        return false;
    command->count++;
    if (s->active)
        word->pattern = spb_strndup(s->env, s->pattern, s->pattern_length);
    return !s->active || word->pattern != NULL;
}

static bool take_words(spp_command *command, splitter *s)
{
    size_t room = 0;
    bool found = true;
    if (!take_head(command, s))
        return false;
    while (found)
        if (!add_word(command, s, &room) || !next_word(s, &found))
            return false;
    return true;
}

bool spp_command_parse(spp_command *command, const spb_env *env, const char *text,
                       char reason[SPP_REASON_MAX])
{
    splitter s = {.reason = reason};
    memset(command, 0, sizeof *command);
    reason[0] = '\0';
    if (strnlen(text, SPP_COMMAND_MAX + 1) > SPP_COMMAND_MAX)
        return refuse(&s, "the command is too long");
    for (const char *at = text; *at != '\0'; at++)
        if (is_control(*at))
            return refuse(&s, "a control character in the command");
    bool good = splitter_init(&s, env, text, reason) && take_words(command, &s);
    splitter_free(&s);
    if (!good)
        spp_command_free(command, env);
    return good;
}

void spp_command_free(spp_command *command, const spb_env *env)
{
    for (size_t i = 0; i < command->count; i++) {
        spb_free(env, command->words[i].text);
        spb_free(env, command->words[i].pattern);
    }
    spb_free(env, command->words);
    memset(command, 0, sizeof *command);
}

/* Needs no memory: only what plain words of options look like counts. */
bool spp_is_command(const char *text)
{
    text += strspn(text, " \t");
    if (strncmp(text, "scp", 3) != 0)
        return false;
    text += 3;
    for (;;) {
        size_t blanks = strspn(text, " \t");
        text += blanks;
        if (blanks == 0 || *text != '-')
            return false;
        size_t length = strcspn(text, " \t");
        if (length < 2 || (length == 2 && text[1] == '-'))
            return false;
        for (size_t i = 1; i < length; i++)
            if (text[i] == 't' || text[i] == 'f')
                return true;
            else if (strchr("vqrpd", text[i]) == NULL)
                return false;
        text += length;
    }
}
