/*
 * Every call that waits, and a scene in which it waits for ever.
 */
#ifndef SHMRR_WAITS_H
#define SHMRR_WAITS_H

#include "fixture.h"

/* A channel of one slot, in which nothing happens by itself. */
typedef struct scene {
    pair channel;
    uint64_t held;
} scene;

static inline int64_t wait_to_receive(scene *at, int64_t timeout_ns)
{
    char buffer[16];
    rr_request request;
    return rr_recv_wait(at->channel.server, buffer, sizeof buffer, &request, timeout_ns);
}

static inline int64_t wait_to_send(scene *at, int64_t timeout_ns)
{
    uint64_t id;
    return rr_client_send_wait(at->channel.client, "sent", 4, &id, timeout_ns);
}

static inline int64_t wait_to_send_with_a_type(scene *at, int64_t timeout_ns)
{
    uint64_t id;
    return send_labelled(at->channel.client, "sent", 4, 200, 0, &id, timeout_ns);
}

static inline int64_t wait_to_collect(scene *at, int64_t timeout_ns)
{
    char buffer[16];
    return rr_client_get_wait(at->channel.client, at->held, buffer, sizeof buffer, timeout_ns);
}

static inline int64_t wait_for_request(scene *at, int64_t timeout_ns)
{
    char buffer[16];
    return rr_client_req(at->channel.client, "asked", 5, buffer, sizeof buffer, timeout_ns);
}

static inline int64_t wait_to_lend(scene *at, int64_t timeout_ns)
{
    rr_buffer loan = RR_BUFFER_INIT;
    return rr_client_loan(at->channel.client, &loan, within(timeout_ns));
}

static inline int64_t wait_to_view(scene *at, int64_t timeout_ns)
{
    rr_view view;
    return rr_client_view(at->channel.client, at->held, &view, NULL, within(timeout_ns));
}

static inline int64_t wait_to_receive_in_place(scene *at, int64_t timeout_ns)
{
    rr_view view;
    return rr_recv_view(at->channel.server, &view, within(timeout_ns));
}

static inline int64_t wait_to_receive_several(scene *at, int64_t timeout_ns)
{
    rr_view views[2];
    return rr_recv_batch(at->channel.server, views, sizeof(rr_view), LENGTH(views), within(timeout_ns));
}

/* Each wait, and whether a request that holds the slot belongs to its scene. */
static const struct wait {
    int64_t (*call)(scene *, int64_t);
    int slot_is_held;
    int by_server;
} WAITS[] = {
    {wait_to_receive, 0, 1},
    {wait_to_send, 1, 0},
    {wait_to_send_with_a_type, 1, 0},
    {wait_to_collect, 1, 0},
    {wait_for_request, 0, 0},
    {wait_for_request, 1, 0},
    {wait_to_lend, 1, 0},
    {wait_to_view, 1, 0},
    {wait_to_receive_in_place, 0, 1},
    {wait_to_receive_several, 0, 1},
};

static inline scene set_scene(const struct wait *wait)
{
    scene at = {open_pair(1), 0};
    if (wait->slot_is_held)
        at.held = send_text(at.channel.client, "held");
    return at;
}

static inline rr_channel *channel_of(const scene *at)
{
    return rr_server_channel(at->channel.server);
}

#endif
