/*
 * What the tests of rr_serve share: serving what is queued and no more, and handlers.
 */
#ifndef SHMRR_SERVING_H
#define SHMRR_SERVING_H

#include "fixture.h"

static inline int says(const rr_view *request, const char *text)
{
    return request->length == strlen(text) && memcmp(request->data, text, request->length) == 0;
}

static inline void write_text(rr_buffer *reply, const char *text)
{
    CHECK(strlen(text) <= reply->capacity);
    memcpy(reply->data, text, strlen(text));
    reply->length = strlen(text);
}

/* Replies with what the request says, and ends the loop with the one that says "stop". */
static inline int echo(void *ctx, const rr_view *request, rr_buffer *reply)
{
    (void)ctx;
    CHECK(request->length <= reply->capacity);
    memcpy(reply->data, request->data, request->length);
    reply->length = request->length;
    return says(request, "stop") ? RR_SERVE_STOP : RR_SERVE_CONTINUE;
}

typedef struct tested {
    rr_handler handler;
    void *ctx;
} tested;

static inline int until_stop(void *ctx, const rr_view *request, rr_buffer *reply)
{
    const tested *within = (const tested *)ctx;
    return says(request, "stop") ? echo(NULL, request, reply) : within->handler(within->ctx, request, reply);
}

/* Serves what is queued: the loop comes as far as to a request that is sent now. */
static inline void serve_queued(const pair *channel, rr_handler handler, void *ctx)
{
    tested within = {handler, ctx};
    uint64_t last = send_text(channel->client, "stop");
    EXPECT(rr_serve(channel->server, until_stop, &within, NULL), 0);
    char reply[8];
    EXPECT(rr_client_get(channel->client, last, reply, sizeof reply), 4);
}

/* No request is left, and no slot is held. */
static inline void expect_all_done(const pair *channel)
{
    rr_stats stats = stats_of(rr_server_channel(channel->server));
    EXPECT(rr_client_pending(channel->client), 0);
    EXPECT(stats.queued, 0);
    EXPECT(stats.in_flight, 0);
    EXPECT(stats.free, stats.slots);
}

static inline void expect_remote_error(rr_client *client, uint64_t id, int wanted, char *text, size_t room)
{
    rr_result result = result_with(text, room);
    EXPECT(rr_client_get_msg(client, id, NULL, 0, &result, within(0)), -EREMOTEIO);
    EXPECT(result.code, wanted);
}

#endif
