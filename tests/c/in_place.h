/*
 * What messages in place are tested with: bytes that tell whose they are, the lengths at which a message lies
 * elsewhere, and a channel whose limits are odd and unlike each other.
 */
#ifndef SHMRR_IN_PLACE_H
#define SHMRR_IN_PLACE_H

#include "fixture.h"

/* So that no room ends where an aligned one would. */
#define REQUEST_MAX 1001
#define RESPONSE_MAX 2003
#define CANARY 0xC5

/* The ends, and around the 104 bytes that stand in a slot's line. */
static const size_t REQUEST_LENGTHS[] = {0, 1, 104, 105, REQUEST_MAX};
static const size_t RESPONSE_LENGTHS[] = {0, 1, 104, 105, RESPONSE_MAX};

static const uint32_t ALIGNMENTS[] = {0, RR_MSG_END_ALIGNED};

static inline pair open_odd_pair(uint32_t slots)
{
    pair opened = {NULL, NULL};
    rr_options options = with_slots(slots);
    options.request_max = REQUEST_MAX;
    options.response_max = RESPONSE_MAX;
    EXPECT(rr_server_new(NULL, &options, &opened.server, NULL), 0);
    opened.client = another_client(&opened);
    return opened;
}

static inline unsigned char byte_at(size_t at, unsigned seed)
{
    return (unsigned char)(seed + 31 * at + at / 251);
}

static inline void fill(void *to, size_t length, unsigned seed)
{
    for (size_t k = 0; k < length; k++)
        ((unsigned char *)to)[k] = byte_at(k, seed);
}

static inline int is_filled(const void *from, size_t length, unsigned seed)
{
    for (size_t k = 0; k < length; k++) {
        if (((const unsigned char *)from)[k] != byte_at(k, seed))
            return 0;
    }
    return 1;
}

/* Writes a message at the start of the room or at its end, as its flags say. */
static inline void build(void *room, size_t capacity, size_t length, uint32_t flags, unsigned seed)
{
    memset(room, CANARY, capacity);
    size_t start = flags & RR_MSG_END_ALIGNED ? capacity - length : 0;
    fill((unsigned char *)room + start, length, seed);
}

static inline int is_aligned(const void *place, uintptr_t to)
{
    return (uintptr_t)place % to == 0;
}

/* That a view shows this message, readable and aligned as promised. */
static inline void expect_seen(const rr_view *view, size_t length, uint32_t type, uint32_t flags, unsigned seed)
{
    CHECK(view->length == length && view->msg_type == type && view->flags == flags);
    CHECK(view->data != NULL);
    CHECK((flags & RR_MSG_END_ALIGNED) || is_aligned(view->data, 8));
    CHECK(is_filled(view->data, length, seed));
}

static inline rr_buffer lend(rr_client *client)
{
    rr_buffer loan = RR_BUFFER_INIT;
    EXPECT(rr_client_loan(client, &loan, within(0)), 0);
    return loan;
}

#endif
