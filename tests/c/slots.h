/*
 * That nothing is left in a channel: each of its slots can be used.
 */
#ifndef SHMRR_SLOTS_H
#define SHMRR_SLOTS_H

#include "fixture.h"

#define SLOTS_MAX 8

/* Every slot takes a request, one more is too many, and each is served. */
static inline void expect_all_slots_free(const pair *channel, uint32_t slots)
{
    uint64_t ids[SLOTS_MAX], refused;
    rr_stats stats = stats_of(rr_client_channel(channel->client));
    CHECK(slots <= SLOTS_MAX && stats.free == slots && stats.in_flight == 0 && stats.queued == 0);
    expect_none_queued(channel->server);
    for (uint32_t k = 0; k < slots; k++)
        ids[k] = send_text(channel->client, "new");
    EXPECT(rr_client_send(channel->client, "", 0, &refused), -ENOBUFS);
    for (uint32_t k = 0; k < slots; k++)
        reply_text(channel->server, take_text(channel->server, "new"), "served");
    expect_none_queued(channel->server);
    for (uint32_t k = 0; k < slots; k++)
        collect_text(channel->client, ids[k], "served");
    EXPECT(rr_client_pending(channel->client), 0);
}

#endif
