/* A file system in memory (<sallyport/fs.h>): the operations. All of them answer at once. */
#include "fs/memory.h"

#include <errno.h>
#include <string.h>

#define BYTES ((uint64_t)64 * 1024 * 1024)
#define NODES 10000u
#define BLOCK 4096u
#define MODE_BITS 07777u

typedef struct memory_handle {
    spd_mem_node *node;
    uint32_t flags;
    uint64_t serial; /* of the last name read */
    unsigned dots;   /* "." and ".." that were read */
} memory_handle;

static spd_memory *of(const sp_fs_request *r)
{
    return r->fs_data;
}

static void lock(spd_memory *m)
{
    (void)pthread_mutex_lock(&m->lock);
}

static void unlock(spd_memory *m)
{
    (void)pthread_mutex_unlock(&m->lock);
}

/* Gives the lock back and answers: 0 or an errno. */
static sp_answer finish(sp_fs_request *r, int result)
{
    unlock(of(r));
    if (result == ENOSPC)
        return sp_answered(sp_fs_failed(r, SP_FS_FAILURE, "No space left on device"));
    return result == 0 ? SP_ACCEPT : sp_answered(sp_fs_errno(r, result));
}

/* ---- names for paths ---- */

static sp_answer name_of(sp_fs_request *r, const char *path)
{
    spd_memory *m = of(r);
    spd_mem_place place;
    char *out = spb_alloc(&m->env, SPD_PATH_MAX);
    if (out == NULL)
        return SP_REJECT;
    lock(m);
    int result = spd_mem_find(m, path, true, &place);
    if (result == 0)
        result = spd_mem_path_of(&place, out, SPD_PATH_MAX);
    unlock(m);
    sp_answer answer = sp_answered(result == 0 ? sp_fs_name(r, out) : sp_fs_errno(r, result));
    spb_free(&m->env, out);
    return answer;
}

static sp_answer mem_realpath(sp_fs_request *r)
{
    return name_of(r, r->path);
}

/* Everyone's home is the root. */
static sp_answer mem_expand_path(sp_fs_request *r)
{
    const char *path = r->path;
    if (path[0] == '~')
        path += strcspn(path, "/");
    return name_of(r, path);
}

static sp_answer mem_home_directory(sp_fs_request *r)
{
    return sp_answered(sp_fs_name(r, "/"));
}

static sp_answer mem_readlink(sp_fs_request *r)
{
    spd_memory *m = of(r);
    spd_mem_node *node;
    int answered = SP_EINVAL;
    lock(m);
    int result = spd_mem_find_node(m, r->path, false, &node);
    if (result == 0 && !spd_is(node, SPD_MODE_LINK))
        result = EINVAL;
    if (result == 0)
        answered = sp_fs_name(r, node->target);
    unlock(m);
    return result == 0 ? sp_answered(answered) : sp_answered(sp_fs_errno(r, result));
}

/* ---- attributes ---- */

static sp_answer look(sp_fs_request *r, bool follow)
{
    spd_memory *m = of(r);
    spd_mem_node *node;
    sp_fs_attr attr = {0};
    lock(m);
    int result = spd_mem_find_node(m, r->path, follow, &node);
    if (result == 0)
        attr = node->attr;
    unlock(m);
    return sp_answered(result == 0 ? sp_fs_attributes(r, &attr) : sp_fs_errno(r, result));
}

static sp_answer mem_stat(sp_fs_request *r)
{
    return look(r, true);
}

static sp_answer mem_lstat(sp_fs_request *r)
{
    return look(r, false);
}

static sp_answer mem_fstat(sp_fs_request *r)
{
    const memory_handle *h = r->handle;
    lock(of(r));
    sp_fs_attr attr = h->node->attr;
    unlock(of(r));
    return sp_answered(sp_fs_attributes(r, &attr));
}

static int set(spd_memory *m, spd_mem_node *node, const sp_fs_attr *attr)
{
    if ((attr->valid & SP_FS_ATTR_SIZE) != 0) {
        if (!spd_is(node, SPD_MODE_FILE))
            return EINVAL;
        int result = spd_mem_file_resize(m, node, attr->size);
        if (result != 0)
            return result;
    }
    if ((attr->valid & SP_FS_ATTR_OWNER) != 0) {
        node->attr.uid = attr->uid;
        node->attr.gid = attr->gid;
    }
    if ((attr->valid & SP_FS_ATTR_PERMISSIONS) != 0)
        node->attr.permissions =
            (node->attr.permissions & SPD_MODE_TYPE) | (attr->permissions & MODE_BITS);
    if ((attr->valid & SP_FS_ATTR_TIMES) != 0) {
        node->attr.atime = attr->atime;
        node->attr.mtime = attr->mtime;
    }
    return 0;
}

static sp_answer set_path(sp_fs_request *r, bool follow)
{
    spd_mem_node *node;
    lock(of(r));
    int result = spd_mem_find_node(of(r), r->path, follow, &node);
    return finish(r, result == 0 ? set(of(r), node, &r->attr) : result);
}

static sp_answer mem_setstat(sp_fs_request *r)
{
    return set_path(r, true);
}

static sp_answer mem_lsetstat(sp_fs_request *r)
{
    return set_path(r, false);
}

static sp_answer mem_fsetstat(sp_fs_request *r)
{
    const memory_handle *h = r->handle;
    bool resize = (r->attr.valid & SP_FS_ATTR_SIZE) != 0;
    lock(of(r));
    if (resize && (h->flags & SP_FS_WRITE) == 0)
        return finish(r, EACCES);
    return finish(r, set(of(r), h->node, &r->attr));
}

/* ---- making and removing ---- */

/* Gives a new node its name, or lets it go. */
static int name_new(spd_memory *m, const spd_mem_place *place, spd_mem_node *node)
{
    if (node == NULL)
        return ENOSPC;
    int result = spd_mem_name_add(m, place, node);
    spd_mem_node_check(m, node);
    return result;
}

static uint32_t mode_of(const sp_fs_attr *attr, uint32_t otherwise)
{
    return (attr->valid & SP_FS_ATTR_PERMISSIONS) != 0 ? attr->permissions & MODE_BITS : otherwise;
}

/* Where something new is to be: there must be a directory, and nothing of that name. */
static int find_free(spd_memory *m, const char *path, spd_mem_place *place)
{
    int result = spd_mem_find(m, path, false, place);
    return result == 0 && place->node != NULL ? EEXIST : result;
}

static sp_answer mem_mkdir(sp_fs_request *r)
{
    spd_memory *m = of(r);
    spd_mem_place place;
    lock(m);
    int result = find_free(m, r->path, &place);
    if (result == 0)
        result = name_new(m, &place, spd_mem_node_new(m, SPD_MODE_DIR | mode_of(&r->attr, 0755)));
    return finish(r, result);
}

static sp_answer mem_symlink(sp_fs_request *r)
{
    spd_memory *m = of(r);
    spd_mem_place place;
    size_t length = strlen(r->to);
    lock(m);
    int result = find_free(m, r->path, &place);
    if (result == 0 && (length == 0 || length > SPD_PATH_MAX))
        result = EINVAL;
    if (result != 0)
        return finish(r, result);
    spd_mem_node *node = spd_mem_node_new(m, SPD_MODE_LINK | 0777);
    if (node != NULL && spd_mem_link_set(m, node, r->to) != 0) {
        spd_mem_node_check(m, node);
        node = NULL;
    }
    return finish(r, name_new(m, &place, node));
}

static sp_answer mem_link(sp_fs_request *r)
{
    spd_memory *m = of(r);
    spd_mem_node *node;
    spd_mem_place place;
    lock(m);
    int result = spd_mem_find_node(m, r->path, false, &node);
    if (result == 0 && spd_is(node, SPD_MODE_DIR))
        result = EPERM;
    if (result == 0)
        result = find_free(m, r->to, &place);
    if (result == 0)
        result = spd_mem_name_add(m, &place, node);
    return finish(r, result);
}

static void unname(spd_memory *m, const spd_mem_place *place)
{
    spd_mem_node *node = place->node;
    spd_mem_name_remove(m, place);
    spd_mem_node_check(m, node);
}

/* Is there something with a name that can be taken away? */
static int find_named(spd_memory *m, const char *path, spd_mem_place *place)
{
    int result = spd_mem_find(m, path, false, place);
    if (result == 0 && place->node == NULL)
        return ENOENT;
    return result == 0 && place->dir == NULL ? EBUSY : result;
}

static sp_answer mem_remove(sp_fs_request *r)
{
    spd_mem_place place;
    lock(of(r));
    int result = find_named(of(r), r->path, &place);
    if (result == 0 && spd_is(place.node, SPD_MODE_DIR))
        result = EISDIR;
    if (result == 0)
        unname(of(r), &place);
    return finish(r, result);
}

static sp_answer mem_rmdir(sp_fs_request *r)
{
    spd_mem_place place;
    lock(of(r));
    int result = find_named(of(r), r->path, &place);
    if (result == 0 && !spd_is(place.node, SPD_MODE_DIR))
        result = ENOTDIR;
    if (result == 0 && place.node->name_count != 0)
        result = ENOTEMPTY;
    if (result == 0)
        unname(of(r), &place);
    return finish(r, result);
}

static bool is_within(const spd_mem_node *dir, const spd_mem_node *above)
{
    while (dir != above && dir->parent != NULL && dir->parent != dir)
        dir = dir->parent;
    return dir == above;
}

/* May `to` be replaced by `from`? rename(2). */
static int may_replace(const spd_mem_place *from, const spd_mem_place *to, bool replace)
{
    bool dir = spd_is(from->node, SPD_MODE_DIR);
    if (to->dir == NULL)
        return EBUSY;
    if (dir && is_within(to->dir, from->node))
        return EINVAL;
    if (to->node == NULL)
        return 0;
    if (!replace)
        return EEXIST;
    if (spd_is(to->node, SPD_MODE_DIR) != dir)
        return dir ? ENOTDIR : EISDIR;
    return to->node->name_count != 0 ? ENOTEMPTY : 0;
}

/* The new name is made before the old one goes: for want of room nothing is lost. */
static int move(spd_memory *m, const spd_mem_place *from, const spd_mem_place *to)
{
    spd_mem_node *node = from->node;
    spd_mem_node *old = to->node;
    if (old == node)
        return 0;
    spd_mem_node *parent = node->parent;
    spd_mem_place fresh = *to;
    int result = spd_mem_name_add(m, &fresh, node);
    if (result != 0)
        return result;
    if (old != NULL)
        spd_mem_name_remove(m, to); /* finds the older one of the two first */
    node->parent = spd_is(node, SPD_MODE_DIR) ? parent : NULL;
    spd_mem_name_remove(m, from);
    node->parent = spd_is(node, SPD_MODE_DIR) ? to->dir : NULL;
    if (old != NULL)
        spd_mem_node_check(m, old);
    return 0;
}

static sp_answer mem_rename(sp_fs_request *r)
{
    spd_memory *m = of(r);
    spd_mem_place from;
    spd_mem_place to;
    lock(m);
    int result = find_named(m, r->path, &from);
    if (result == 0)
        result = spd_mem_find(m, r->to, false, &to);
    if (result == 0)
        result = may_replace(&from, &to, (r->flags & SP_FS_REPLACE) != 0);
    if (result == 0)
        result = move(m, &from, &to);
    return finish(r, result);
}

/* ---- open files and directories ---- */

static int find_to_open(sp_fs_request *r, spd_mem_node **node)
{
    spd_memory *m = of(r);
    spd_mem_place place;
    bool exclusive = (r->flags & SP_FS_EXCLUSIVE) != 0 && (r->flags & SP_FS_CREATE) != 0;
    int result = spd_mem_find(m, r->path, !exclusive, &place);
    *node = place.node;
    if (result != 0)
        return result;
    if (place.node != NULL && exclusive)
        return EEXIST;
    if (place.node == NULL) {
        if ((r->flags & SP_FS_CREATE) == 0)
            return ENOENT;
        *node = spd_mem_node_new(m, SPD_MODE_FILE | mode_of(&r->attr, 0644));
        return name_new(m, &place, *node);
    }
    if (spd_is(place.node, SPD_MODE_DIR))
        return EISDIR;
    return (r->flags & SP_FS_TRUNCATE) != 0 ? spd_mem_file_resize(m, place.node, 0) : 0;
}

static sp_answer open_node(sp_fs_request *r, int result, spd_mem_node *node)
{
    spd_memory *m = of(r);
    memory_handle *h = result == 0 ? spb_calloc(&m->env, 1, sizeof *h) : NULL;
    if (h != NULL) {
        h->node = node;
        h->flags = r->flags;
        node->opens++;
    }
    if (h == NULL)
        return finish(r, result != 0 ? result : ENOMEM);
    unlock(m);
    return sp_answered(sp_fs_opened(r, h));
}

static sp_answer mem_open(sp_fs_request *r)
{
    spd_mem_node *node = NULL;
    lock(of(r));
    int result = find_to_open(r, &node);
    return open_node(r, result, node);
}

static sp_answer mem_opendir(sp_fs_request *r)
{
    spd_mem_node *node;
    lock(of(r));
    int result = spd_mem_find_node(of(r), r->path, true, &node);
    if (result == 0 && !spd_is(node, SPD_MODE_DIR))
        result = ENOTDIR;
    return open_node(r, result, node);
}

static sp_answer mem_close(sp_fs_request *r)
{
    memory_handle *h = r->handle;
    lock(of(r));
    h->node->opens--;
    spd_mem_node_check(of(r), h->node);
    spb_free(&of(r)->env, h);
    return finish(r, 0);
}

static sp_answer mem_read(sp_fs_request *r)
{
    const memory_handle *h = r->handle;
    size_t length = 0;
    lock(of(r));
    if (r->offset < h->node->attr.size) {
        uint64_t left = h->node->attr.size - r->offset;
        length = (size_t)(left < r->length ? left : r->length);
        memcpy(r->buffer, h->node->data + r->offset, length);
    }
    unlock(of(r));
    return sp_answered(sp_fs_data(r, length));
}

static sp_answer mem_write(sp_fs_request *r)
{
    const memory_handle *h = r->handle;
    lock(of(r));
    uint64_t offset = (h->flags & SP_FS_APPEND) != 0 ? h->node->attr.size : r->offset;
    return finish(r, spd_mem_file_write(of(r), h->node, offset, r->bytes, (size_t)r->length));
}

static sp_answer mem_fsync(sp_fs_request *r)
{
    (void)r;
    return SP_ACCEPT;
}

static sp_answer mem_copy_data(sp_fs_request *r)
{
    const memory_handle *from = r->handle;
    const memory_handle *to = r->to_handle;
    lock(of(r));
    uint64_t size = from->node->attr.size;
    uint64_t left = r->offset < size ? size - r->offset : 0;
    uint64_t length = r->length == 0 || r->length > left ? left : r->length;
    uint64_t end = r->offset + length;
    if (from->node == to->node && r->to_offset < end && r->offset < r->to_offset + length)
        return finish(r, EINVAL);
    /* A file that grows may move: its bytes are looked up after that. */
    int result = 0;
    if (length != 0 && r->to_offset + length > to->node->attr.size)
        result = spd_mem_file_resize(of(r), to->node, r->to_offset + length);
    if (result == 0 && length != 0)
        result = spd_mem_file_write(of(r), to->node, r->to_offset, from->node->data + r->offset,
                                    (size_t)length);
    return finish(r, result);
}

/* ---- listing ---- */

/* The node of the next name, and its text; NULL: no more. */
static const spd_mem_node *next_name(memory_handle *h, const char **text)
{
    static const char *const dots[] = {".", ".."};
    const spd_mem_node *dir = h->node;
    if (h->dots < 2) {
        *text = dots[h->dots];
        h->dots++;
        return h->dots == 2 && dir->parent != NULL ? dir->parent : dir;
    }
    size_t low = 0;
    size_t high = dir->name_count;
    while (low < high) { /* the first whose serial is greater */
        size_t middle = low + (high - low) / 2;
        if (dir->names[middle].serial <= h->serial)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == dir->name_count)
        return NULL;
    h->serial = dir->names[low].serial;
    *text = dir->names[low].text;
    return dir->names[low].node;
}

static sp_answer mem_readdir(sp_fs_request *r)
{
    spd_memory *m = of(r);
    memory_handle *h = r->handle;
    size_t room = (size_t)r->length;
    size_t count = 0;
    const spd_mem_node *node;
    const char *text;
    sp_fs_entry *entries = spb_calloc(&m->env, room, sizeof *entries);
    if (entries == NULL)
        return SP_REJECT;
    lock(m);
    while (count < room && (node = next_name(h, &text)) != NULL) {
        entries[count].name = text;
        entries[count].attr = node->attr;
        count++;
    }
    int result = count == 0 ? sp_fs_eof(r) : sp_fs_names(r, entries, count);
    unlock(m);
    spb_free(&m->env, entries);
    return sp_answered(result);
}

static sp_answer space(sp_fs_request *r)
{
    spd_memory *m = of(r);
    lock(m);
    const sp_fs_volume volume = {
        .block_size = BLOCK,
        .fragment_size = BLOCK,
        .blocks = m->max_bytes / BLOCK,
        .blocks_free = (m->max_bytes - m->bytes) / BLOCK,
        .blocks_available = (m->max_bytes - m->bytes) / BLOCK,
        .files = m->max_nodes,
        .files_free = m->max_nodes - m->nodes,
        .files_available = m->max_nodes - m->nodes,
        .name_max = SP_FS_NAME_MAX,
    };
    unlock(m);
    return sp_answered(sp_fs_space(r, &volume));
}

static sp_answer mem_statvfs(sp_fs_request *r)
{
    spd_mem_node *node;
    lock(of(r));
    int result = spd_mem_find_node(of(r), r->path, true, &node);
    if (result != 0)
        return finish(r, result);
    unlock(of(r));
    return space(r);
}

/* ---- the whole ---- */

static const sp_fs_handlers handlers = {
    SP_FS_HANDLERS_INIT,      .realpath = mem_realpath,   .expand_path = mem_expand_path,
    .stat = mem_stat,         .lstat = mem_lstat,         .setstat = mem_setstat,
    .lsetstat = mem_lsetstat, .open = mem_open,           .close = mem_close,
    .read = mem_read,         .write = mem_write,         .fstat = mem_fstat,
    .fsetstat = mem_fsetstat, .fsync = mem_fsync,         .opendir = mem_opendir,
    .readdir = mem_readdir,   .remove = mem_remove,       .mkdir = mem_mkdir,
    .rmdir = mem_rmdir,       .rename = mem_rename,       .readlink = mem_readlink,
    .symlink = mem_symlink,   .link = mem_link,           .statvfs = mem_statvfs,
    .fstatvfs = space,        .copy_data = mem_copy_data, .home_directory = mem_home_directory,
};

static void released(void *data)
{
    spd_memory *m = data;
    spb_env env = m->env;
    spd_mem_tree_free(m);
    (void)pthread_mutex_destroy(&m->lock);
    spb_free(&env, m);
}

sp_fs *sp_fs_memory_new(const sp_fs_memory_options *given)
{
    sp_fs_memory_options o = {SP_FS_MEMORY_OPTIONS_INIT};
    spb_env env;
    spb_env_init(&env, NULL);
    if (given != NULL)
        memcpy(&o, given, given->size < sizeof o ? given->size : sizeof o);
    spd_memory *m = spb_calloc(&env, 1, sizeof *m);
    if (m == NULL)
        return NULL;
    m->env = env;
    m->max_bytes = o.max_bytes != 0 ? o.max_bytes : BYTES;
    m->max_nodes = o.max_nodes != 0 ? o.max_nodes : NODES;
    spb_list_init(&m->all);
    if (pthread_mutex_init(&m->lock, NULL) != 0) {
        spb_free(&env, m);
        return NULL;
    }
    m->root = spd_mem_node_new(m, SPD_MODE_DIR | 0755);
    const sp_fs_options options = {SP_FS_OPTIONS_INIT, .read_only = o.read_only,
                                   .released = released};
    sp_fs *fs = m->root == NULL ? NULL : sp_fs_new(&handlers, m, &options);
    if (fs == NULL) {
        released(m);
        return NULL;
    }
    m->root->parent = m->root;
    m->root->attr.links = 1;
    return fs;
}
