/* An intrusive doubly linked list. A zeroed link is not on any list. */
#ifndef SPB_LIST_H
#define SPB_LIST_H

#include <stdbool.h>
#include <stddef.h>

typedef struct spb_link {
    struct spb_link *prev;
    struct spb_link *next;
} spb_link;

static inline void spb_list_init(spb_link *head)
{
    head->prev = head;
    head->next = head;
}
static inline bool spb_list_empty(const spb_link *head)
{
    return head->next == head;
}
static inline bool spb_list_linked(const spb_link *link)
{
    return link->next != NULL;
}
static inline void spb_list_append(spb_link *head, spb_link *link)
{
    link->prev = head->prev;
    link->next = head;
    head->prev->next = link;
    head->prev = link;
}
/* Does nothing to a link that is on no list. */
static inline void spb_list_remove(spb_link *link)
{
    if (link->next == NULL)
        return;
    link->prev->next = link->next;
    link->next->prev = link->prev;
    link->prev = NULL;
    link->next = NULL;
}
#define SPB_CONTAINER(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#endif
