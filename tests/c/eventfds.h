/*
 * Two handles that signal each other's eventfds, and what an eventfd shows.
 */
#ifndef SHMRR_EVENTFDS_H
#define SHMRR_EVENTFDS_H

#include "fixture.h"

#include <poll.h>
#include <sys/eventfd.h>

/* A channel whose client signals the server's eventfd for requests, and whose server the client's one for replies. */
typedef struct wired {
    pair channel;
    rr_channel *at_server, *at_client;
} wired;

static inline wired open_wired(uint32_t kind, uint32_t server_flags, uint32_t client_flags)
{
    wired opened;
    rr_options options = with_slots(8);
    options.kind = kind;
    options.flags = server_flags;
    EXPECT(rr_server_new(NULL, &options, &opened.channel.server, NULL), 0);
    options.flags = client_flags;
    EXPECT(rr_client_from_server(opened.channel.server, &options, &opened.channel.client, NULL), 0);
    opened.at_server = rr_server_channel(opened.channel.server);
    opened.at_client = rr_client_channel(opened.channel.client);
    EXPECT(rr_channel_request_fd_set(opened.at_client, rr_channel_request_fd_make(opened.at_server)), 0);
    EXPECT(rr_channel_reply_fd_set(opened.at_server, rr_channel_reply_fd_make(opened.at_client)), 0);
    return opened;
}

static inline int is_ready(int fd)
{
    struct pollfd waited = {fd, POLLIN, 0};
    int count = poll(&waited, 1, 0);
    CHECK(count == 0 || (count == 1 && waited.revents == POLLIN));
    return count;
}

static inline void expect_signals(const wired *at, int requests, int replies)
{
    CHECK(is_ready(rr_channel_request_fd(at->at_server)) == (requests > 0));
    CHECK(is_ready(rr_channel_reply_fd(at->at_client)) == (replies > 0));
    EXPECT(rr_channel_consume_requests(at->at_server), requests);
    EXPECT(rr_channel_consume_replies(at->at_client), replies);
}

static inline void until_ready(int fd)
{
    struct pollfd waited = {fd, POLLIN, 0};
    int count;
    while ((count = poll(&waited, 1, -1)) < 0 && errno == EINTR)
        continue;
    CHECK(count == 1 && waited.revents == POLLIN);
}

/* The number that the next descriptor will have: the same as before if none was left open in between. */
static inline int next_descriptor(void)
{
    int next = dup(STDERR_FILENO);
    CHECK(next >= 0);
    CHECK(close(next) == 0);
    return next;
}

static inline int new_eventfd(int flags)
{
    int made = eventfd(0, flags);
    CHECK(made >= 0);
    return made;
}

#endif
