/*
 * Channels of integers, and single steps in them.
 */
#ifndef SHMRR_INTEGERS_H
#define SHMRR_INTEGERS_H

#include "fixture.h"

static inline rr_options of_kind(uint32_t kind, uint32_t slots)
{
    rr_options options = with_slots(slots);
    options.kind = kind;
    return options;
}

static inline rr_client *another_int_client(const pair *channel)
{
    rr_options options = of_kind(RR_KIND_INT, 0);
    rr_client *client = NULL;
    EXPECT(rr_client_from_server(channel->server, &options, &client, NULL), 0);
    return client;
}

static inline rr_server *another_int_server(const pair *channel)
{
    rr_options options = of_kind(RR_KIND_INT, 0);
    rr_server *server = NULL;
    int fd = rr_channel_fd(rr_server_channel(channel->server));
    EXPECT(rr_server_from_fd(fd, &options, &server, NULL), 0);
    return server;
}

static inline pair open_int_pair(uint32_t slots)
{
    pair opened = {NULL, NULL};
    rr_options options = of_kind(RR_KIND_INT, slots);
    EXPECT(rr_server_new(NULL, &options, &opened.server, NULL), 0);
    opened.client = another_int_client(&opened);
    return opened;
}

static inline uint64_t send_number(rr_client *client, int64_t number)
{
    uint64_t id = 0;
    EXPECT(rr_client_send_i64(client, number, &id), 0);
    CHECK(id != 0 && (int64_t)id > 0);
    return id;
}

static inline uint64_t take_number(rr_server *server, int64_t number)
{
    int64_t found = ~number;
    rr_request request;
    EXPECT(rr_recv_i64(server, &found, &request), 0);
    CHECK(found == number);
    return request.id;
}

static inline void reply_number(rr_server *server, uint64_t id, int64_t number)
{
    EXPECT(rr_reply_i64(server, id, number), 0);
}

static inline void collect_number(rr_client *client, uint64_t id, int64_t number)
{
    int64_t found = ~number;
    EXPECT(rr_client_get_i64(client, id, &found), 0);
    CHECK(found == number);
}

/* The whole of it works. */
static inline void expect_int_works(const pair *channel)
{
    uint64_t id = send_number(channel->client, 6);
    reply_number(channel->server, take_number(channel->server, 6), 7);
    collect_number(channel->client, id, 7);
}

#endif
