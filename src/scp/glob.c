/* The patterns of a command: component by component, by reading the directories that the components
 * before stand for. What can't be read stands for nothing. */
#include "scp/server.h"

#include <stdlib.h>
#include <string.h>

#define BYTES_MAX ((size_t)4 * 1024 * 1024) /* of all names that are found, about */
#define ITEM_COST ((size_t)32)              /* of one, beside its bytes */

static bool next_item(spp_server *server);
static bool next_component(spp_server *server);

/* ---- lists ---- */

static void free_items(const spp_server *server, char **items, size_t count)
{
    for (size_t i = 0; i < count; i++)
        spb_free(server->env, items[i]);
    spb_free(server->env, items);
}

void spp_glob_free(spp_server *server)
{
    spp_glob *glob = &server->glob;
    free_items(server, glob->items, glob->count);
    free_items(server, glob->next, glob->next_count);
    memset(glob, 0, sizeof *glob);
}

/* Adds `head`, a slash if it needs one, and `name` to the next items. */
static void add(spp_server *server, const char *head, const char *name, size_t length)
{
    spp_glob *glob = &server->glob;
    size_t head_length = strlen(head);
    bool slash = head_length != 0 && head[head_length - 1] != '/' && length != 0;
    size_t size = head_length + slash + length + 1;
    if (glob->overflow || size > SPP_PATH_MAX)
        return;
    glob->overflow = glob->next_count >= server->options.max_matches ||
                     glob->bytes + size + ITEM_COST > BYTES_MAX;
    if (glob->overflow)
        return;
    if (glob->next_count == glob->next_room) {
        size_t room = glob->next_room == 0 ? 16 : 2 * glob->next_room;
        char **items = spb_realloc(server->env, glob->next, room * sizeof *items);
        if (items == NULL) {
            spp_stop_for_memory(server);
            return;
        }
        glob->next = items;
        glob->next_room = room;
    }
    char *item = spb_alloc(server->env, size);
    if (item == NULL) {
        spp_stop_for_memory(server);
        return;
    }
    memcpy(item, head, head_length);
    if (slash)
        item[head_length] = '/';
    memcpy(item + head_length + slash, name, length);
    item[size - 1] = '\0';
    glob->next[glob->next_count++] = item;
    glob->bytes += size + ITEM_COST;
}

/* All items were looked at: the next ones take their place. */
static void turn_over(spp_server *server)
{
    spp_glob *glob = &server->glob;
    for (size_t i = 0; i < glob->count; i++)
        glob->bytes -= strlen(glob->items[i]) + 1 + ITEM_COST;
    free_items(server, glob->items, glob->count);
    glob->items = glob->next;
    glob->count = glob->next_count;
    glob->room = glob->next_room;
    glob->next = NULL;
    glob->next_count = 0;
    glob->next_room = 0;
    glob->index = 0;
}

static int in_order(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* ---- the end ---- */

static void finish(spp_server *server)
{
    spp_glob *glob = &server->glob;
    if (glob->count > 1)
        qsort(glob->items, glob->count, sizeof *glob->items, in_order);
    server->turn = server->globbed;
}

static void on_checked(spp_server *server, const spd_answer *answer)
{
    spp_glob *glob = &server->glob;
    const char *item = glob->items[glob->index++];
    if (answer->form == SPD_ATTRIBUTES)
        add(server, item, "", 0);
}

/* Items that end with plain components: are they there? */
static bool check_item(spp_server *server)
{
    spp_glob *glob = &server->glob;
    if (glob->index < glob->count && !glob->overflow) {
        (void)spp_ask_path(server, SP_FS_OP_LSTAT, glob->items[glob->index], on_checked);
        return true;
    }
    turn_over(server);
    finish(server);
    return true;
}

/* ---- one component ---- */

static void on_closed(spp_server *server, const spd_answer *answer)
{
    (void)answer;
    server->glob.index++;
    server->turn = next_item;
}

static void on_names(spp_server *server, const spd_answer *answer)
{
    spp_glob *glob = &server->glob;
    if (answer->form != SPD_NAMES || glob->overflow) {
        spp_ask_close(server, &glob->dir, on_closed);
        return;
    }
    glob->dir.listed += answer->u.names.count;
    for (size_t i = 0; i < answer->u.names.count && !server->stopping; i++) {
        const char *name = answer->u.names.entries[i].name;
        if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0 && strchr(name, '/') == NULL &&
            spp_match(glob->component, glob->at, name))
            add(server, glob->items[glob->index], name, strlen(name));
    }
}

static bool read_names(spp_server *server)
{
    (void)spp_ask_names(server, &server->glob.dir, on_names);
    return true;
}

static void on_opened(spp_server *server, const spd_answer *answer)
{
    if (answer->form == SPD_HANDLE)
        server->turn = read_names;
    else
        server->glob.index++;
}

static bool next_item(spp_server *server)
{
    spp_glob *glob = &server->glob;
    if (glob->index == glob->count || glob->overflow) {
        turn_over(server);
        server->turn = next_component;
        return true;
    }
    const char *path = glob->items[glob->index];
    spp_request *request =
        spp_request_new(server, SP_FS_OP_OPENDIR, path[0] == '\0' ? "." : path, 0);
    if (request != NULL)
        spp_ask_open(server, request, &glob->dir, on_opened);
    return true;
}

static void add_plain(spp_server *server)
{
    spp_glob *glob = &server->glob;
    char *name = spb_alloc(server->env, (size_t)(glob->at - glob->component) + 1);
    if (name == NULL) {
        spp_stop_for_memory(server);
        return;
    }
    size_t length = spp_unescape(name, glob->component, glob->at);
    for (size_t i = 0; i < glob->count && !server->stopping; i++)
        add(server, glob->items[i], name, length);
    spb_free(server->env, name);
    if (!server->stopping)
        turn_over(server);
}

/* Does the next component; behind the last one, the end. */
static bool next_component(spp_server *server)
{
    spp_glob *glob = &server->glob;
    while (glob->at < glob->end && *glob->at == '/')
        glob->at++;
    if (glob->at == glob->end || glob->count == 0 || glob->overflow) {
        if (glob->unchecked && !glob->overflow)
            server->turn = check_item;
        else
            finish(server);
        return true;
    }
    glob->component = glob->at;
    while (glob->at < glob->end && *glob->at != '/')
        glob->at++;
    glob->unchecked = !spp_is_pattern(glob->component, glob->at);
    if (glob->unchecked)
        add_plain(server);
    else
        server->turn = next_item;
    return true;
}

void spp_glob_begin(spp_server *server, const spp_word *word, bool (*next)(spp_server *server))
{
    spp_glob *glob = &server->glob;
    spp_glob_free(server);
    glob->at = word->pattern;
    glob->end = word->pattern + strlen(word->pattern);
    if (word->tilde)
        while (glob->at < glob->end && *glob->at != '/')
            glob->at++;
    const char *head = word->tilde ? server->home : *glob->at == '/' ? "/" : "";
    add(server, head, "", 0);
    if (server->stopping)
        return;
    turn_over(server);
    server->globbed = next;
    server->turn = next_component;
}
