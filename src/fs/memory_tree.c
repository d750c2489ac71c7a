/* The tree of a file system in memory: nodes, names, paths, contents, and the count of what they
 * take. */
#include "fs/memory.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#define LINKS_MAX 40u /* followed for one path, as in Linux */
#define NAMES_FIRST 8u

/* ---- paths ---- */

static spd_mem_name *find_name(const spd_mem_node *dir, const char *text, size_t length)
{
    for (size_t i = 0; i < dir->name_count; i++)
        if (strncmp(dir->names[i].text, text, length) == 0 && dir->names[i].text[length] == '\0')
            return &dir->names[i];
    return NULL;
}

/* The next component of `*path`, which moves behind it. False: there is none. */
static bool next_component(const char **path, const char **text, size_t *length)
{
    while (**path == '/')
        (*path)++;
    *text = *path;
    *length = strcspn(*path, "/");
    *path += *length;
    return *length != 0;
}

static bool is_last(const char *path)
{
    return path[strspn(path, "/")] == '\0';
}

static int walk(spd_memory *m, spd_mem_node *from, const char *path, bool follow, unsigned *links,
                spd_mem_place *place)
{
    const char *text;
    size_t length;
    spd_mem_node *at = path[0] == '/' ? m->root : from;
    *place = (spd_mem_place){NULL, "", 0, at};
    while (next_component(&path, &text, &length)) {
        if (length > SP_FS_NAME_MAX)
            return ENAMETOOLONG;
        if (!spd_is(at, SPD_MODE_DIR))
            return ENOTDIR;
        if (length == 1 && text[0] == '.')
            continue;
        if (length == 2 && text[0] == '.' && text[1] == '.') {
            at = at->parent != NULL ? at->parent : m->root;
            *place = (spd_mem_place){NULL, "", 0, at};
            continue;
        }
        const spd_mem_name *name = find_name(at, text, length);
        bool last = is_last(path);
        *place = (spd_mem_place){at, text, length, name == NULL ? NULL : name->node};
        if (name == NULL)
            return last ? 0 : ENOENT;
        if (spd_is(name->node, SPD_MODE_LINK) && (follow || !last)) {
            if (++*links > LINKS_MAX)
                return ELOOP;
            int result = walk(m, at, name->node->target, true, links, place);
            if (result != 0 || last)
                return result;
            if (place->node == NULL)
                return ENOENT;
        }
        at = place->node;
    }
    return 0;
}

int spd_mem_find(spd_memory *m, const char *path, bool follow, spd_mem_place *place)
{
    unsigned links = 0;
    return walk(m, m->root, path, follow, &links, place);
}

int spd_mem_find_node(spd_memory *m, const char *path, bool follow, spd_mem_node **node)
{
    spd_mem_place place;
    int result = spd_mem_find(m, path, follow, &place);
    *node = place.node;
    return result == 0 && place.node == NULL ? ENOENT : result;
}

/* Puts "/name" before what stands at `*start`. */
static bool put_before(char *out, size_t *start, const char *name, size_t length)
{
    if (length + 1 > *start)
        return false;
    *start -= length;
    memcpy(out + *start, name, length);
    out[--*start] = '/';
    return true;
}

static const spd_mem_name *name_of_dir(const spd_mem_node *dir)
{
    const spd_mem_node *parent = dir->parent;
    for (size_t i = 0; i < parent->name_count; i++)
        if (parent->names[i].node == dir)
            return &parent->names[i];
    return NULL;
}

int spd_mem_path_of(const spd_mem_place *place, char *out, size_t size)
{
    size_t start = size - 1;
    const spd_mem_node *dir = place->dir != NULL ? place->dir : place->node;
    out[start] = '\0';
    if (place->dir != NULL && !put_before(out, &start, place->name, place->length))
        return ENAMETOOLONG;
    while (dir->parent != NULL && dir->parent != dir) {
        const spd_mem_name *name = name_of_dir(dir);
        if (name == NULL || !put_before(out, &start, name->text, strlen(name->text)))
            return ENAMETOOLONG;
        dir = dir->parent;
    }
    if (out[start] == '\0')
        out[--start] = '/';
    memmove(out, out + start, size - start);
    return 0;
}

/* ---- nodes ---- */

static bool take(spd_memory *m, uint64_t bytes)
{
    if (bytes > m->max_bytes || m->bytes > m->max_bytes - bytes)
        return false;
    m->bytes += bytes;
    return true;
}

void spd_mem_node_touch(spd_mem_node *node)
{
    node->attr.mtime = (int64_t)time(NULL);
}

spd_mem_node *spd_mem_node_new(spd_memory *m, uint32_t mode)
{
    if (m->nodes >= m->max_nodes || !take(m, SPD_NODE_COST))
        return NULL;
    spd_mem_node *node = spb_calloc(&m->env, 1, sizeof *node);
    if (node == NULL) {
        m->bytes -= SPD_NODE_COST;
        return NULL;
    }
    m->nodes++;
    node->attr.valid =
        SP_FS_ATTR_SIZE | SP_FS_ATTR_OWNER | SP_FS_ATTR_PERMISSIONS | SP_FS_ATTR_TIMES;
    node->attr.permissions = mode;
    spd_mem_node_touch(node);
    node->attr.atime = node->attr.mtime;
    spb_list_append(&m->all, &node->link);
    return node;
}

int spd_mem_link_set(spd_memory *m, spd_mem_node *node, const char *text)
{
    size_t length = strlen(text);
    if (!take(m, length))
        return ENOSPC;
    node->target = spb_strdup(&m->env, text);
    if (node->target == NULL) {
        m->bytes -= length;
        return ENOSPC;
    }
    node->attr.size = length;
    return 0;
}

static void free_node(spd_memory *m, spd_mem_node *node)
{
    m->nodes--;
    m->bytes -= SPD_NODE_COST + node->capacity;
    if (node->target != NULL)
        m->bytes -= strlen(node->target);
    for (size_t i = 0; i < node->name_count; i++)
        spb_free(&m->env, node->names[i].text);
    spb_list_remove(&node->link);
    spb_free(&m->env, node->names);
    spb_free(&m->env, node->target);
    spb_free(&m->env, node->data);
    spb_free(&m->env, node);
}

void spd_mem_node_check(spd_memory *m, spd_mem_node *node)
{
    if (node->attr.links == 0 && node->opens == 0)
        free_node(m, node);
}

void spd_mem_tree_free(spd_memory *m)
{
    while (!spb_list_empty(&m->all))
        free_node(m, SPB_CONTAINER(m->all.next, spd_mem_node, link));
}

/* ---- names ---- */

static int make_room(spd_memory *m, spd_mem_node *dir)
{
    if (dir->name_count < dir->name_room)
        return 0;
    size_t room = dir->name_room == 0 ? NAMES_FIRST : dir->name_room * 2;
    spd_mem_name *names = spb_realloc(&m->env, dir->names, room * sizeof *names);
    if (names == NULL)
        return ENOSPC;
    dir->names = names;
    dir->name_room = room;
    return 0;
}

/* Room is counted by its names only, so there is never much more. */
static void give_room_back(const spd_memory *m, spd_mem_node *dir)
{
    size_t room = dir->name_room / 2;
    if (room < NAMES_FIRST || dir->name_count > room / 2)
        return;
    spd_mem_name *names = spb_realloc(&m->env, dir->names, room * sizeof *names);
    if (names == NULL)
        return;
    dir->names = names;
    dir->name_room = room;
}

int spd_mem_name_add(spd_memory *m, const spd_mem_place *place, spd_mem_node *node)
{
    spd_mem_node *dir = place->dir;
    if (dir != m->root && dir->parent == NULL)
        return ENOENT; /* removed meanwhile, and open */
    if (make_room(m, dir) != 0 || !take(m, SPD_NAME_COST + place->length))
        return ENOSPC;
    char *text = spb_strndup(&m->env, place->name, place->length);
    if (text == NULL) {
        m->bytes -= SPD_NAME_COST + place->length;
        return ENOSPC;
    }
    dir->names[dir->name_count++] = (spd_mem_name){text, node, ++m->serial};
    node->attr.links++;
    if (spd_is(node, SPD_MODE_DIR))
        node->parent = dir;
    spd_mem_node_touch(dir);
    return 0;
}

/* The node stays; see spd_mem_node_check. */
void spd_mem_name_remove(spd_memory *m, const spd_mem_place *place)
{
    spd_mem_node *dir = place->dir;
    spd_mem_name *name = find_name(dir, place->name, place->length);
    spd_mem_node *node = name->node;
    char *text = name->text;
    size_t behind = dir->name_count - (size_t)(name - dir->names) - 1;
    m->bytes -= SPD_NAME_COST + place->length;
    memmove(name, name + 1, behind * sizeof *name);
    dir->name_count--;
    give_room_back(m, dir);
    spb_free(&m->env, text);
    node->attr.links--;
    if (spd_is(node, SPD_MODE_DIR) && node->parent == dir)
        node->parent = NULL;
    spd_mem_node_touch(dir);
}

/* ---- contents ---- */

static int reserve(spd_memory *m, spd_mem_node *node, size_t size)
{
    if (size <= node->capacity)
        return 0;
    size_t more = size - node->capacity;
    size_t spare = node->capacity / 2; /* so that a growing file is not moved each time */
    if (spare > more && m->bytes + spare <= m->max_bytes)
        more = spare;
    if (!take(m, more))
        return ENOSPC;
    uint8_t *data = spb_realloc(&m->env, node->data, node->capacity + more);
    if (data == NULL) {
        m->bytes -= more;
        return ENOSPC;
    }
    node->data = data;
    node->capacity += more;
    return 0;
}

int spd_mem_file_resize(spd_memory *m, spd_mem_node *node, uint64_t size)
{
    if (size > m->max_bytes)
        return ENOSPC;
    int result = reserve(m, node, (size_t)size);
    if (result != 0)
        return result;
    if (size > node->attr.size)
        memset(node->data + node->attr.size, 0, (size_t)(size - node->attr.size));
    node->attr.size = size;
    if (size == 0) {
        spb_free(&m->env, node->data);
        m->bytes -= node->capacity;
        node->data = NULL;
        node->capacity = 0;
    }
    spd_mem_node_touch(node);
    return 0;
}

int spd_mem_file_write(spd_memory *m, spd_mem_node *node, uint64_t offset, const void *bytes,
                       size_t length)
{
    if (length == 0)
        return 0;
    if (offset > m->max_bytes || length > m->max_bytes - offset)
        return ENOSPC;
    int result = reserve(m, node, (size_t)offset + length);
    if (result != 0)
        return result;
    if (offset > node->attr.size)
        memset(node->data + node->attr.size, 0, (size_t)(offset - node->attr.size));
    memcpy(node->data + offset, bytes, length);
    if (offset + length > node->attr.size)
        node->attr.size = offset + length;
    spd_mem_node_touch(node);
    return 0;
}
