/* spawn.h: the one narrow door through which this program starts a user's processes. A session asks
 * the door that it was given and nothing else, so that a privileged parent can stand behind it
 * while the process that talks to the network has no rights. */
#ifndef SALLYPORTD_SPAWN_H
#define SALLYPORTD_SPAWN_H

#include <sallyport/process.h>

typedef struct spawn_door {
    sp_spawner start;
    void *ctx;
} spawn_door;

/* The door of a server that serves the user it runs as: a plain fork and exec. */
static inline spawn_door spawn_door_here(void)
{
    return (spawn_door){sp_spawn_here, NULL};
}

#endif
