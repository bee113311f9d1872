/*
 * A message that was posted is delivered, once and in order, whatever becomes of the process that posted it.
 *
 * Its argument says whether there is time for "many" messages or for "few".
 */
#include "posts.h"
#include "doomed.h"

#define COUNT 6

static void post_some(void *client)
{
    for (int k = 0; k < COUNT; k++) {
        char text[32];
        snprintf(text, sizeof text, "post %d", k);
        post_text((rr_client *)client, text);
    }
}

static void expect_some(rr_server *server)
{
    for (int k = 0; k < COUNT; k++) {
        char text[32];
        snprintf(text, sizeof text, "post %d", k);
        expect_post(server, text);
    }
    expect_none_queued(server);
    expect_nothing_left(rr_server_channel(server));
}

/* Each posts by a client that is gone when it returns. */
static void from_one_who_left(const pair *channel)
{
    rr_client *leaving = another_client(channel);
    post_some(leaving);
    rr_client_free(leaving);
}

static void from_one_who_ended(const pair *channel)
{
    pid_t child = fork_child();
    if (child == 0) {
        post_some(channel->client);
        child_ends();
    }
    expect_ended_well(child);
}

static void from_one_who_was_killed(const pair *channel)
{
    kill_and_reap(doomed_after(post_some, channel->client));
}

/* Posts and kills itself: no instruction of the library runs after the last post. */
static void from_one_who_killed_itself(const pair *channel)
{
    pid_t child = fork_child();
    if (child == 0) {
        post_some(channel->client);
        kill(getpid(), SIGKILL);
    }
    expect_killed(child);
}

static void (*const GONE[])(const pair *) = {
    from_one_who_left, from_one_who_ended, from_one_who_was_killed, from_one_who_killed_itself,
};

static void the_posts_of_one_who_is_gone_are_delivered_once_and_in_order(void)
{
    for (size_t k = 0; k < LENGTH(GONE); k++) {
        pair channel = open_pair(COUNT);
        GONE[k](&channel);
        expect_some(channel.server);
        close_pair(&channel);
    }
}

static void recovery_leaves_them_as_they_are(void)
{
    for (size_t k = 0; k < LENGTH(GONE); k++) {
        pair channel = open_pair(COUNT);
        GONE[k](&channel);
        EXPECT(rr_channel_recover(rr_server_channel(channel.server)), k == 0 ? 0 : 1);
        EXPECT(rr_channel_recover(rr_client_channel(channel.client)), 0);
        EXPECT(rr_channel_queued(rr_client_channel(channel.client)), COUNT);
        expect_some(channel.server);
        close_pair(&channel);
    }
}

static void recovery_between_two_of_them_delivers_none_twice(void)
{
    for (size_t k = 0; k < LENGTH(GONE); k++) {
        pair channel = open_pair(COUNT);
        GONE[k](&channel);
        expect_post(channel.server, "post 0");
        uint64_t held = take_post(channel.server, "post 1");
        EXPECT(rr_channel_recover(rr_server_channel(channel.server)), k == 0 ? 0 : 1);
        expect_post(channel.server, "post 2");
        EXPECT(rr_dismiss(channel.server, held), 0);
        expect_post(channel.server, "post 3");
        expect_post(channel.server, "post 4");
        expect_post(channel.server, "post 5");
        expect_none_queued(channel.server);
        expect_nothing_left(rr_server_channel(channel.server));
        close_pair(&channel);
    }
}

static void who_comes_in_their_place_has_nothing_to_do_with_them(void)
{
    for (size_t k = 0; k < LENGTH(GONE); k++) {
        pair channel = open_pair(COUNT + 1);
        GONE[k](&channel);
        EXPECT(rr_channel_recover(rr_server_channel(channel.server)), k == 0 ? 0 : 1);
        rr_client *next = another_client(&channel);
        EXPECT(rr_client_pending(next), 0);
        uint64_t id = send_text(next, "after them");
        EXPECT(rr_client_cancel(next, id), 0);
        rr_client_free(next);
        expect_some(channel.server);
        close_pair(&channel);
    }
}

static void the_requests_of_one_who_is_gone_are_withdrawn_and_its_posts_are_not(void)
{
    pair channel = open_pair(4);
    rr_client *leaving = another_client(&channel);
    send_text(leaving, "withdrawn");
    post_text(leaving, "one");
    send_text(leaving, "withdrawn");
    post_text(leaving, "two");
    rr_client_free(leaving);
    expect_post(channel.server, "one");
    expect_post(channel.server, "two");
    expect_none_queued(channel.server);
    close_pair(&channel);
}

static void a_server_that_comes_when_everybody_is_gone_gets_them(void)
{
    const char *name = new_name();
    rr_options options = with_slots(COUNT);
    pid_t child = fork_child();
    if (child == 0) {
        rr_server *server;
        rr_client *client;
        EXPECT(rr_server_new(name, &options, &server, NULL), 0);
        rr_server_free(server);
        EXPECT(rr_client_new(name, NULL, &client, NULL), 0);
        post_some(client);
        kill(getpid(), SIGKILL);
    }
    expect_killed(child);
    rr_server *server;
    EXPECT(rr_server_new(name, NULL, &server, NULL), 0);
    expect_some(server);
    rr_server_free(server);
}

static void who_held_the_posts_of_one_who_is_gone_lets_go_of_them(void)
{
    for (size_t k = 0; k < LENGTH(GONE); k++) {
        pair channel = open_pair(COUNT);
        uint64_t ids[COUNT];
        GONE[k](&channel);
        for (int post = 0; post < COUNT; post++)
            ids[post] = take_any(channel.server);
        rr_channel_recover(rr_server_channel(channel.server));
        for (int post = 0; post < COUNT; post++) {
            EXPECT(rr_dismiss(channel.server, ids[post]), 0);
            EXPECT(rr_dismiss(channel.server, ids[post]), -ESTALE);
        }
        expect_nothing_left(rr_server_channel(channel.server));
        close_pair(&channel);
    }
}

static void the_posts_of_one_who_is_gone_are_lost_with_their_server(void)
{
    for (size_t k = 0; k < LENGTH(GONE); k++) {
        pair channel = open_pair(COUNT);
        GONE[k](&channel);
        expect_post(channel.server, "post 0");
        taken_by_the_dead(channel.server);
        EXPECT(rr_channel_recover(rr_server_channel(channel.server)), k == 0 ? 1 : 2);
        expect_post(channel.server, "post 2");
        EXPECT(rr_channel_queued(rr_server_channel(channel.server)), COUNT - 3);
        CHECK(stats_of(rr_server_channel(channel.server)).in_flight == COUNT - 3);
        close_pair(&channel);
    }
}

/* ---- many ---- */

#define POSTERS 4
#define TAKERS 2
#define MOST 20000

typedef struct numbered {
    uint32_t poster, number;
} numbered;

typedef struct taker {
    rr_server *server;
    pthread_mutex_t *lock;
    uint32_t *taken;
    unsigned char (*seen)[MOST];
} taker;

static uint32_t posts_each;

static void post_numbers(rr_client *client, uint32_t poster)
{
    for (uint32_t k = 0; k < posts_each; k++) {
        numbered message = {poster, k};
        EXPECT(rr_client_post(client, &message, sizeof message, FOREVER), 0);
    }
}

static void take_numbered(taker *by, const rr_request *request, const numbered *message)
{
    CHECK(request->flags == RR_MSG_ONE_WAY);
    CHECK(message->poster < POSTERS && message->number < posts_each);
    EXPECT(rr_dismiss(by->server, request->id), 0);
    CHECK(pthread_mutex_lock(by->lock) == 0);
    CHECK(by->seen[message->poster][message->number]++ == 0);
    ++*by->taken;
    CHECK(pthread_mutex_unlock(by->lock) == 0);
}

static void *take_until_stopped(void *context)
{
    taker *by = (taker *)context;
    /* The oldest comes first, so each poster's messages come in their order to each taker. */
    int64_t last[POSTERS] = {-1, -1, -1, -1};
    for (;;) {
        numbered message;
        rr_request request;
        int64_t length = rr_recv_wait(by->server, &message, sizeof message, &request, FOREVER);
        if (length == -ESHUTDOWN)
            return NULL;
        EXPECT(length, sizeof message);
        take_numbered(by, &request, &message);
        CHECK(message.number > last[message.poster]);
        last[message.poster] = message.number;
    }
}

static void many_posts_of_several_processes_are_delivered_once_each(void)
{
    static unsigned char seen[POSTERS][MOST];
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    uint32_t taken = 0, all = POSTERS * posts_each;
    pair channel = open_pair(8);
    pid_t posters[POSTERS];
    for (uint32_t k = 0; k < POSTERS; k++) {
        posters[k] = fork_child();
        if (posters[k] == 0) {
            post_numbers(channel.client, k);
            if (k % 2)
                kill(getpid(), SIGKILL);
            child_ends();
        }
    }
    pthread_t threads[TAKERS];
    taker shared = {channel.server, &lock, &taken, seen};
    for (size_t k = 0; k < TAKERS; k++)
        CHECK(pthread_create(&threads[k], NULL, take_until_stopped, &shared) == 0);
    for (uint32_t k = 0; k < POSTERS; k++) {
        if (k % 2)
            expect_killed(posters[k]);
        else
            expect_ended_well(posters[k]);
    }
    for (uint32_t found = 0; found < all; sched_yield()) {
        CHECK(pthread_mutex_lock(&lock) == 0);
        found = taken;
        CHECK(pthread_mutex_unlock(&lock) == 0);
    }
    EXPECT(rr_server_stop(channel.server), 0);
    for (size_t k = 0; k < TAKERS; k++)
        CHECK(pthread_join(threads[k], NULL) == 0);
    EXPECT(taken, all);
    CHECK(stats_of(rr_client_channel(channel.client)).posts == all);
    expect_nothing_left(rr_client_channel(channel.client));
    close_pair(&channel);
}

int main(int argc, char **argv)
{
    posts_each = argc > 1 && strcmp(argv[1], "few") == 0 ? 200 : MOST;
    RUN(the_posts_of_one_who_is_gone_are_delivered_once_and_in_order);
    RUN(recovery_leaves_them_as_they_are);
    RUN(recovery_between_two_of_them_delivers_none_twice);
    RUN(who_comes_in_their_place_has_nothing_to_do_with_them);
    RUN(the_requests_of_one_who_is_gone_are_withdrawn_and_its_posts_are_not);
    RUN(a_server_that_comes_when_everybody_is_gone_gets_them);
    RUN(who_held_the_posts_of_one_who_is_gone_lets_go_of_them);
    RUN(the_posts_of_one_who_is_gone_are_lost_with_their_server);
    RUN(many_posts_of_several_processes_are_delivered_once_each);
    return 0;
}
