/*
 * rr_serve takes requests in their order, calls its handler with each, and sends the reply that it wrote: at once, later
 * or for the last time.
 *
 * Its argument says whether there is time for "many" requests or for "few".
 */
#include "serving.h"

#include <limits.h>

static int repetitions;

static int echo_and_note(void *ctx, const rr_view *request, rr_buffer *reply)
{
    char *noted = (char *)ctx;
    CHECK(request->length == 1);
    strncat(noted, (const char *)request->data, 1);
    return echo(NULL, request, reply);
}

static void requests_are_handled_in_order_and_replies_reach_their_clients(void)
{
    pair channel = open_pair(16);
    rr_client *clients[] = {channel.client, another_client(&channel), another_client(&channel)};
    const char *texts[] = {"1", "2", "3", "4", "5", "6", "7", "8", "9"};
    uint64_t ids[LENGTH(texts)];
    for (size_t k = 0; k < LENGTH(texts); k++)
        ids[k] = send_text(clients[k % LENGTH(clients)], texts[k]);
    char noted[16] = "";
    serve_queued(&channel, echo_and_note, noted);
    CHECK(strcmp(noted, "123456789") == 0);
    for (size_t k = LENGTH(texts); k-- > 0;)
        collect_text(clients[k % LENGTH(clients)], ids[k], texts[k]);
    expect_all_done(&channel);
    rr_client_free(clients[1]);
    rr_client_free(clients[2]);
    close_pair(&channel);
}

typedef struct given {
    uint64_t id;
    uint32_t client;
    int calls;
} given;

static int check_given(void *ctx, const rr_view *request, rr_buffer *reply)
{
    given *expected = (given *)ctx;
    expected->calls++;
    EXPECT(request->id, expected->id);
    EXPECT(request->client, expected->client);
    EXPECT(request->msg_type, 200);
    EXPECT(request->flags, RR_MSG_UTF8);
    EXPECT(request->redeliveries, 0);
    CHECK(says(request, "asked") && (uintptr_t)request->data % 8 == 0);
    CHECK(reply->data != NULL && (uintptr_t)reply->data % 128 == 0);
    EXPECT(reply->capacity, 1001);
    CHECK(reply->length == 0 && reply->msg_type == 0 && reply->flags == 0);
    return RR_SERVE_CONTINUE;
}

static void a_handler_is_given_its_context_the_request_and_room_for_the_response(void)
{
    rr_options options = with_slots(2);
    options.response_max = 1001;
    pair channel = {NULL, NULL};
    EXPECT(rr_server_new(NULL, &options, &channel.server, NULL), 0);
    channel.client = another_client(&channel);
    rr_participant there[2];
    EXPECT(rr_channel_participants(rr_server_channel(channel.server), there, sizeof(rr_participant), 2), 2);
    given expected = {0, there[there[0].role == RR_ROLE_CLIENT ? 0 : 1].number, 0};
    EXPECT(send_labelled(channel.client, "asked", 5, 200, RR_MSG_UTF8, &expected.id, FOREVER), 0);
    serve_queued(&channel, check_given, &expected);
    CHECK(expected.calls == 1);
    collect_text(channel.client, expected.id, "");
    close_pair(&channel);
}

typedef struct label {
    size_t length;
    uint32_t type, flags;
} label;

static void fill(unsigned char *bytes, const label *of)
{
    for (size_t k = 0; k < of->length; k++)
        bytes[k] = (unsigned char)(k * 7 + of->length + of->flags);
}

static int write_labelled(void *ctx, const rr_view *request, rr_buffer *reply)
{
    const label *wanted = (const label *)ctx;
    unsigned char *bytes = (unsigned char *)reply->data;
    (void)request;
    fill(wanted->flags & RR_MSG_END_ALIGNED ? bytes + reply->capacity - wanted->length : bytes, wanted);
    reply->length = wanted->length;
    reply->msg_type = wanted->type;
    reply->flags = wanted->flags;
    return RR_SERVE_CONTINUE;
}

/* Short replies travel elsewhere than long ones. */
static void bytes_type_and_flags_of_a_response_arrive(void)
{
    const size_t lengths[] = {0, 1, 8, 40, 41, 104, 105, 4095, 4096};
    const uint32_t types[] = {0, 128, UINT32_MAX}, flags[] = {0, RR_MSG_UTF8, RR_MSG_END_ALIGNED, RR_MSG_UTF8 | RR_MSG_END_ALIGNED};
    pair channel = open_pair(2);
    for (size_t k = 0; k < LENGTH(lengths) * LENGTH(flags); k++) {
        label wanted = {lengths[k / LENGTH(flags)], types[k % LENGTH(types)], flags[k % LENGTH(flags)]};
        unsigned char expected[4096];
        fill(expected, &wanted);
        uint64_t id = send_text(channel.client, "label");
        serve_queued(&channel, write_labelled, &wanted);
        rr_view view;
        EXPECT(rr_client_view(channel.client, id, &view, NULL, within(0)), wanted.length);
        EXPECT(view.msg_type, wanted.type);
        EXPECT(view.flags, wanted.flags);
        CHECK(memcmp(view.data, expected, wanted.length) == 0);
        EXPECT(rr_client_release(channel.client, id), 0);
    }
    close_pair(&channel);
}

static void a_stop_sends_its_reply_leaves_the_next_request_queued_and_serving_can_go_on(void)
{
    pair channel = open_pair(3);
    uint64_t first = send_text(channel.client, "stop"), second = send_text(channel.client, "second");
    uint64_t third = send_text(channel.client, "stop");
    EXPECT(rr_serve(channel.server, echo, NULL, NULL), 0);
    collect_text(channel.client, first, "stop");
    EXPECT(rr_channel_queued(rr_server_channel(channel.server)), 2);
    EXPECT(rr_client_get(channel.client, second, NULL, 0), -EAGAIN);
    EXPECT(rr_serve(channel.server, echo, NULL, NULL), 0);
    collect_text(channel.client, second, "second");
    collect_text(channel.client, third, "stop");
    expect_all_done(&channel);
    close_pair(&channel);
}

typedef struct postponed {
    pair channel;
    rr_view views[3];
    size_t kept;
    gate all_kept;
    uint64_t ids[3];
} postponed;

static int postpone(void *ctx, const rr_view *request, rr_buffer *reply)
{
    postponed *later = (postponed *)ctx;
    if (request->length != 1)
        return echo(NULL, request, reply);
    later->views[later->kept++] = *request;
    write_text(reply, "not to be sent");
    if (later->kept == LENGTH(later->views))
        open_gate(&later->all_kept);
    return RR_SERVE_LATER;
}

/* The newest first: by a copy, by a loan, by an error. */
static void *answer_later(void *context)
{
    postponed *later = (postponed *)context;
    rr_server *server = later->channel.server;
    rr_client *client = later->channel.client;
    pass_gate(&later->all_kept);
    request_text(client, "the loop goes on", "the loop goes on");
    for (size_t k = 0; k < LENGTH(later->ids); k++) {
        EXPECT(rr_client_get(client, later->ids[k], NULL, 0), -EAGAIN);
        EXPECT(later->views[k].id, later->ids[k]);
    }
    CHECK(says(&later->views[2], "c"));
    reply_text(server, later->ids[2], "third");
    collect_text(client, later->ids[2], "third");
    CHECK(says(&later->views[1], "b"));
    void *room = NULL;
    size_t capacity;
    EXPECT(loan_reply(server, later->ids[1], &room, &capacity), 0);
    memcpy(room, "second", 6);
    EXPECT(commit_reply(server, later->ids[1], 6, 0, 0), 0);
    collect_text(client, later->ids[1], "second");
    CHECK(says(&later->views[0], "a"));
    EXPECT(rr_reply_error(server, later->ids[0], -5, "first"), 0);
    char text[16];
    expect_remote_error(client, later->ids[0], -5, text, sizeof text);
    CHECK(strcmp(text, "first") == 0);
    request_text(client, "stop", "stop");
    return NULL;
}

static void later_replies_go_out_in_any_order_from_another_thread_while_the_loop_goes_on(void)
{
    postponed later;
    memset(&later, 0, sizeof later);
    later.channel = open_pair(4);
    later.all_kept = new_gate();
    const char *texts[] = {"a", "b", "c"};
    for (size_t k = 0; k < LENGTH(texts); k++)
        later.ids[k] = send_text(later.channel.client, texts[k]);
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, answer_later, &later) == 0);
    EXPECT(rr_serve(later.channel.server, postpone, &later, NULL), 0);
    CHECK(pthread_join(thread, NULL) == 0);
    expect_all_done(&later.channel);
    drop_gate(&later.all_kept);
    close_pair(&later.channel);
}

static int stop_and_reply_later(void *ctx, const rr_view *request, rr_buffer *reply)
{
    *(uint64_t *)ctx = request->id;
    write_text(reply, "not to be sent");
    return RR_SERVE_LATER | RR_SERVE_STOP;
}

static void a_handler_may_stop_now_and_reply_later(void)
{
    pair channel = open_pair(2);
    uint64_t id = send_text(channel.client, "later"), next = send_text(channel.client, "next"), kept = 0;
    EXPECT(rr_serve(channel.server, stop_and_reply_later, &kept, NULL), 0);
    EXPECT(kept, id);
    EXPECT(rr_client_get(channel.client, id, NULL, 0), -EAGAIN);
    reply_text(channel.server, take_text(channel.server, "next"), "first");
    reply_text(channel.server, kept, "last");
    collect_text(channel.client, next, "first");
    collect_text(channel.client, id, "last");
    close_pair(&channel);
}

typedef struct crew {
    rr_server *server;
    pthread_barrier_t both;
} crew;

static int meet(void *ctx, const rr_view *request, rr_buffer *reply)
{
    if (says(request, "meet"))
        pthread_barrier_wait(&((crew *)ctx)->both);
    return echo(NULL, request, reply);
}

static void *serve_in_thread(void *context)
{
    crew *of = (crew *)context;
    EXPECT(rr_serve(of->server, meet, of, NULL), 0);
    return NULL;
}

static void two_threads_serve_at_once_and_each_is_stopped_by_itself(void)
{
    pair channel = open_pair(2);
    crew two;
    two.server = channel.server;
    CHECK(pthread_barrier_init(&two.both, NULL, 2) == 0);
    pthread_t threads[2];
    for (size_t k = 0; k < LENGTH(threads); k++)
        CHECK(pthread_create(&threads[k], NULL, serve_in_thread, &two) == 0);
    for (int k = 0; k < 20; k++) {
        uint64_t one = send_text(channel.client, "meet"), other = send_text(channel.client, "meet");
        collect_text(channel.client, one, "meet");
        collect_text(channel.client, other, "meet");
    }
    request_text(channel.client, "stop", "stop");
    request_text(channel.client, "the other goes on", "the other goes on");
    request_text(channel.client, "stop", "stop");
    for (size_t k = 0; k < LENGTH(threads); k++)
        CHECK(pthread_join(threads[k], NULL) == 0);
    CHECK(pthread_barrier_destroy(&two.both) == 0);
    expect_all_done(&channel);
    close_pair(&channel);
}

static int serve_within(void *ctx, const rr_view *request, rr_buffer *reply)
{
    if (says(request, "outer")) {
        EXPECT(rr_serve((rr_server *)ctx, echo, NULL, NULL), 0);
        CHECK(says(request, "outer"));
        write_text(reply, "after the inner");
        return RR_SERVE_CONTINUE;
    }
    return echo(NULL, request, reply);
}

static void a_handler_may_serve_itself(void)
{
    pair channel = open_pair(4);
    uint64_t outer = send_text(channel.client, "outer"), inner = send_text(channel.client, "inner");
    uint64_t stop = send_text(channel.client, "stop");
    serve_queued(&channel, serve_within, channel.server);
    collect_text(channel.client, inner, "inner");
    collect_text(channel.client, stop, "stop");
    collect_text(channel.client, outer, "after the inner");
    close_pair(&channel);
}

static void one_slot_is_enough_to_serve_in(void)
{
    pair channel = open_pair(1);
    pid_t child = fork_child();
    if (child == 0) {
        for (int k = 0; k < repetitions; k++) {
            char text[32];
            snprintf(text, sizeof text, "request %d", k);
            request_text(channel.client, text, text);
        }
        request_text(channel.client, "stop", "stop");
        child_ends();
    }
    EXPECT(rr_serve(channel.server, echo, NULL, NULL), 0);
    expect_ended_well(child);
    expect_all_done(&channel);
    close_pair(&channel);
}

static void what_can_not_be_served_is_refused(void)
{
    pair channel = open_pair(1);
    rr_options integers = RR_OPTIONS_INIT;
    integers.kind = RR_KIND_INT;
    rr_server *server;
    EXPECT(rr_server_new(NULL, &integers, &server, NULL), 0);
    EXPECT(rr_serve(server, echo, NULL, NULL), -EINVAL);
    EXPECT(rr_serve(NULL, echo, NULL, NULL), -EINVAL);
    EXPECT(rr_serve(channel.server, NULL, NULL, NULL), -EINVAL);
    uint64_t id = send_text(channel.client, "stays");
    EXPECT(rr_server_stop(channel.server), 0);
    EXPECT(rr_serve(channel.server, echo, NULL, NULL), -ESHUTDOWN);
    EXPECT(rr_channel_queued(rr_server_channel(channel.server)), 1);
    EXPECT(rr_client_cancel(channel.client, id), 0);
    rr_server_free(server);
    close_pair(&channel);
}

int main(int argc, char **argv)
{
    repetitions = argc > 1 && strcmp(argv[1], "few") == 0 ? 100 : 10000;
    RUN(requests_are_handled_in_order_and_replies_reach_their_clients);
    RUN(a_handler_is_given_its_context_the_request_and_room_for_the_response);
    RUN(bytes_type_and_flags_of_a_response_arrive);
    RUN(a_stop_sends_its_reply_leaves_the_next_request_queued_and_serving_can_go_on);
    RUN(later_replies_go_out_in_any_order_from_another_thread_while_the_loop_goes_on);
    RUN(a_handler_may_stop_now_and_reply_later);
    RUN(two_threads_serve_at_once_and_each_is_stopped_by_itself);
    RUN(a_handler_may_serve_itself);
    RUN(one_slot_is_enough_to_serve_in);
    RUN(what_can_not_be_served_is_refused);
    return 0;
}
