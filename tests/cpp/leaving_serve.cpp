/*
 * What leaves rr_serve by unwinding, from its handler: the request is let go of on the way, so that its client knows at
 * once, and the server goes on.
 */
#include "../c/fixture.h"

#include <stdexcept>
#include <string>
#include <thread>

/* Longer than anything here takes; a client that waits it out was forgotten. */
#define PATIENCE (10 * SECOND)

enum class leave { nothing, exception, exit, cancellation };

struct order {
    leave how;
    bool replies_before;
    rr_server *server;
    int unwound;
};

/* A C++ object in the handler's own frame: its destructor runs, too. */
struct witness {
    int *count;
    ~witness() { ++*count; }
};

static int handle(void *ctx, const rr_view *request, rr_buffer *reply)
{
    order *now = static_cast<order *>(ctx);
    witness seen = {&now->unwound};
    if (now->replies_before)
        EXPECT(rr_reply(now->server, request->id, "early", 5), 0);
    switch (now->how) {
    case leave::exception:
        throw std::runtime_error("a bad request");
    case leave::exit:
        pthread_exit(NULL);
    case leave::cancellation:
        pthread_cancel(pthread_self());
        pthread_testcancel();
        break;
    case leave::nothing:
        break;
    }
    memcpy(reply->data, "done", 4);
    reply->length = 4;
    return RR_SERVE_STOP;
}

/* Serves until the handler ends it, one way or another. */
static void *serve(void *ctx)
{
    order *now = static_cast<order *>(ctx);
    witness seen = {&now->unwound};
    try {
        EXPECT(rr_serve(now->server, handle, now, NULL), 0);
        CHECK(now->how == leave::nothing);
    } catch (const std::exception &error) {
        CHECK(now->how == leave::exception && std::string(error.what()) == "a bad request");
    }
    return NULL;
}

static void serve_in_a_thread(pair *channel, leave how, bool replies_before, int64_t wanted)
{
    order now = {how, replies_before, channel->server, 0};
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, serve, &now) == 0);
    char reply[8];
    int64_t begun = ::now();
    EXPECT(rr_client_req(channel->client, "hello", 5, reply, sizeof reply, PATIENCE), wanted);
    CHECK(::now() - begun < PATIENCE / 2);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(now.unwound == 2);
    CHECK(wanted < 0 || memcmp(reply, wanted == 4 ? "done" : "early", (size_t)wanted) == 0);
}

/* Whatever happened, the next request is served, and nothing is left. */
static void expect_sound(pair *channel)
{
    for (int k = 0; k < 20; k++)
        serve_in_a_thread(channel, leave::nothing, false, 4);
    rr_stats stats = stats_of(rr_server_channel(channel->server));
    CHECK(stats.in_flight == 0 && stats.queued == 0);
}

static void leave_again_and_again(leave how)
{
    pair channel = open_pair(4);
    /* More often than there are slots. */
    for (int k = 0; k < 20; k++)
        serve_in_a_thread(&channel, how, false, -ENOMSG);
    serve_in_a_thread(&channel, how, true, 5);
    expect_sound(&channel);
    close_pair(&channel);
}

static void an_exception_leaves_rr_serve_and_its_client_knows_at_once()
{
    leave_again_and_again(leave::exception);
}

#ifdef __GLIBC__
static void a_handler_that_ends_its_thread_leaves_no_request_behind()
{
    leave_again_and_again(leave::exit);
}

static void a_handler_that_is_cancelled_leaves_no_request_behind()
{
    leave_again_and_again(leave::cancellation);
}
#endif

static void a_message_that_nobody_waits_for_is_released()
{
    pair channel = open_pair(4);
    for (int k = 0; k < 20; k++) {
        EXPECT(rr_client_post(channel.client, "post", 4, 0), 0);
        order now = {leave::exception, false, channel.server, 0};
        serve(&now);
        CHECK(now.unwound == 2);
    }
    expect_sound(&channel);
    close_pair(&channel);
}

/* One that waits for a request stays in its place while another throws. */
static void other_threads_that_serve_are_not_concerned()
{
    pair channel = open_pair(4);
    order steady = {leave::nothing, false, channel.server, 0};
    for (int k = 0; k < 20; k++) {
        order now = {leave::exception, false, channel.server, 0};
        uint64_t id = send_text(channel.client, "thrown at");
        serve(&now);
        EXPECT(rr_client_get(channel.client, id, NULL, 0), -ENOMSG);
    }
    std::thread thread([&steady] { serve(&steady); });
    char reply[8];
    EXPECT(rr_client_req(channel.client, "hello", 5, reply, sizeof reply, PATIENCE), 4);
    thread.join();
    close_pair(&channel);
}

int main()
{
    RUN(an_exception_leaves_rr_serve_and_its_client_knows_at_once);
#ifdef __GLIBC__
    RUN(a_handler_that_ends_its_thread_leaves_no_request_behind);
    RUN(a_handler_that_is_cancelled_leaves_no_request_behind);
#endif
    RUN(a_message_that_nobody_waits_for_is_released);
    RUN(other_threads_that_serve_are_not_concerned);
    return 0;
}
