/*
 * Memory around which there is nothing: buffers of any capacity that end where a page may not be touched, with a
 * pattern before them, and a channel's mapping whose neighbours are pages that may not be touched either.
 */
#ifndef SHMRR_HOSTILE_GUARD_H
#define SHMRR_HOSTILE_GUARD_H

#include "../c/check.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define PAGE ((size_t)4096)
#define PATTERN 0xA5

static inline void *nothing_at(void *where, size_t size)
{
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | (where ? MAP_FIXED_NOREPLACE : 0);
    return mmap(where, size, PROT_NONE, flags, -1, 0);
}

/* ---- buffers ---- */

typedef struct guarded {
    unsigned char *start;
    size_t size;
} guarded;

static inline guarded new_guarded(size_t most)
{
    guarded made = {NULL, (most / PAGE + 1) * PAGE};
    unsigned char *all = (unsigned char *)nothing_at(NULL, made.size + 2 * PAGE);
    CHECK(all != MAP_FAILED);
    made.start = all + PAGE;
    CHECK(mprotect(made.start, made.size, PROT_READ | PROT_WRITE) == 0);
    memset(made.start, PATTERN, made.size);
    return made;
}

/* The last bytes before the guard. */
static inline void *last(const guarded *memory, size_t capacity)
{
    CHECK(capacity <= memory->size);
    return memory->start + memory->size - capacity;
}

/* Checks that nothing was written in front of the last bytes, and makes them what they were. */
static inline void check_and_restore(const guarded *memory, size_t capacity)
{
    size_t before = memory->size - capacity;
    for (size_t at = 0; at < before; at++)
        CHECK(memory->start[at] == PATTERN);
    memset(memory->start + before, PATTERN, capacity);
}

/* ---- the channel's mapping ---- */

typedef struct extent {
    uintptr_t from, to;
    char allowed[8];
    dev_t device;
    unsigned long inode;
} extent;

/* Whether there was one more line, and what it says. */
static inline int next_mapping(FILE *maps, extent *found)
{
    char line[512];
    if (!fgets(line, sizeof line, maps))
        return 0;
    unsigned major_number, minor_number;
    CHECK(sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %7s %*s %x:%x %lu", &found->from, &found->to, found->allowed,
                 &major_number, &minor_number, &found->inode) == 6);
    found->device = makedev(major_number, minor_number);
    return 1;
}

/* A handle has a page of its file that may not be touched, besides. */
static inline int is_of(const extent *found, const struct stat *file)
{
    int is_written = found->allowed[0] == 'r' && found->allowed[1] == 'w';
    return is_written && found->device == file->st_dev && found->inode == file->st_ino;
}

/* Where a file is mapped. */
static inline extent mapping_of(int fd)
{
    struct stat file;
    CHECK(fstat(fd, &file) == 0);
    FILE *maps = fopen("/proc/self/maps", "r");
    CHECK(maps);
    extent found;
    int more = 1;
    while ((more = next_mapping(maps, &found)) && !is_of(&found, &file))
        continue;
    fclose(maps);
    CHECK(more);
    return found;
}

/* Whether a page is, or was free and now is, one that may not be touched. */
static inline int is_closed_off(uintptr_t page)
{
    if (nothing_at((void *)page, PAGE) == (void *)page)
        return 1;
    FILE *maps = fopen("/proc/self/maps", "r");
    CHECK(maps);
    extent found;
    int closed = 0;
    while (next_mapping(maps, &found))
        if (page >= found.from && page < found.to)
            closed = found.allowed[0] == '-' && found.allowed[1] == '-';
    fclose(maps);
    return closed;
}

/*
 * Whether the channel's mapping lies alone. If it does not, the caller frees the handle, spoils the place and opens it
 * again: it will lie elsewhere.
 */
static inline int lies_alone(extent where)
{
    int below = is_closed_off(where.from - PAGE);
    int above = is_closed_off(where.to);
    return below && above;
}

static inline void spoil(extent place)
{
    CHECK(nothing_at((void *)place.from, place.to - place.from) == (void *)place.from);
}

#endif
