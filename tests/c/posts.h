/*
 * Single steps with one-way messages.
 */
#ifndef SHMRR_POSTS_H
#define SHMRR_POSTS_H

#include "fixture.h"

static inline void post_text(rr_client *client, const char *text)
{
    EXPECT(rr_client_post(client, text, strlen(text), 0), 0);
}

/* Takes the message that is there. */
static inline uint64_t take_post(rr_server *server, const char *text)
{
    char buffer[64];
    rr_request request;
    EXPECT(rr_recv(server, buffer, sizeof buffer, &request), strlen(text));
    CHECK(memcmp(buffer, text, strlen(text)) == 0);
    CHECK(request.flags == RR_MSG_ONE_WAY);
    return request.id;
}

static inline void expect_post(rr_server *server, const char *text)
{
    EXPECT(rr_release(server, take_post(server, text)), 0);
}

/* All slots are free. */
static inline void expect_nothing_left(rr_channel *channel)
{
    rr_stats stats = stats_of(channel);
    CHECK(stats.queued == 0 && stats.in_flight == 0);
    CHECK(stats.free == stats.slots);
}

#endif
