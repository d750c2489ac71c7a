/* A file system in memory: what its files share. One lock holds it all together; no operation waits
 * for anything else. */
#ifndef SPD_MEMORY_H
#define SPD_MEMORY_H

#include "base/list.h"
#include "fs/fs.h"

#include <pthread.h>

#define SPD_MODE_TYPE 0170000u
#define SPD_MODE_DIR 0040000u
#define SPD_MODE_FILE 0100000u
#define SPD_MODE_LINK 0120000u
#define SPD_NODE_COST 256u /* bytes that a node counts for besides names and contents */
#define SPD_NAME_COST 64u  /* that a name counts for besides its text */

typedef struct spd_mem_node spd_mem_node;

/* One name in a directory. */
typedef struct spd_mem_name {
    char *text;
    spd_mem_node *node;
    uint64_t serial; /* rises along a directory's names: where a reader of it is */
} spd_mem_name;

struct spd_mem_node {
    spb_link link;   /* of all nodes */
    sp_fs_attr attr; /* links: its names */
    unsigned opens;
    /* a file */
    uint8_t *data;
    size_t capacity;
    /* a link */
    char *target;
    /* a directory; removed ones have no parent, the root is its own */
    spd_mem_node *parent;
    spd_mem_name *names;
    size_t name_count;
    size_t name_room;
};

typedef struct spd_memory {
    spb_env env;
    pthread_mutex_t lock;
    uint64_t max_bytes;
    uint32_t max_nodes;
    uint64_t bytes;
    uint32_t nodes;
    uint64_t serial;
    spb_link all;
    spd_mem_node *root;
} spd_memory;

static inline bool spd_is(const spd_mem_node *node, uint32_t type)
{
    return (node->attr.permissions & SPD_MODE_TYPE) == type;
}

/* Where a path leads. The name points into the path, or into a link's text. */
typedef struct spd_mem_place {
    spd_mem_node *dir; /* NULL: the root itself, or a path that ends with ".." */
    const char *name;
    size_t length;
    spd_mem_node *node; /* NULL: there is none of that name */
} spd_mem_place;

/* ---- memory_tree.c: all under the lock; results are 0 or an errno ---- */
int spd_mem_find(spd_memory *m, const char *path, bool follow, spd_mem_place *place);
/* The same, and there must be something. */
int spd_mem_find_node(spd_memory *m, const char *path, bool follow, spd_mem_node **node);
/* The absolute path of a place into `out`. */
int spd_mem_path_of(const spd_mem_place *place, char *out, size_t size);
/* A node without a name yet; NULL: no room. */
spd_mem_node *spd_mem_node_new(spd_memory *m, uint32_t mode);
/* The text of a new link. 0 or ENOSPC. */
int spd_mem_link_set(spd_memory *m, spd_mem_node *node, const char *text);
/* Frees it if it has neither a name nor a handle. */
void spd_mem_node_check(spd_memory *m, spd_mem_node *node);
int spd_mem_name_add(spd_memory *m, const spd_mem_place *place, spd_mem_node *node);
void spd_mem_name_remove(spd_memory *m, const spd_mem_place *place);
int spd_mem_file_resize(spd_memory *m, spd_mem_node *node, uint64_t size);
int spd_mem_file_write(spd_memory *m, spd_mem_node *node, uint64_t offset, const void *bytes,
                       size_t length);
void spd_mem_node_touch(spd_mem_node *node); /* changed now */
void spd_mem_tree_free(spd_memory *m);

#endif
