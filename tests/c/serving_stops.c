/*
 * rr_serve ends when its handle is stopped, by whomever and whenever; a handler that has been called gets its reply sent
 * all the same, and what is queued stays for others. A signal without a stop ends it too, and nothing is lost.
 *
 * Its argument says whether there is time for "many" requests or for "few".
 */
#include "serving.h"

#include <sys/time.h>

static int requests, interruptions;

static void stop(void *server)
{
    EXPECT(rr_server_stop((rr_server *)server), 0);
}

/* The handle does nothing more; another serves what was left queued. */
static void expect_served_by_another(const pair *channel, uint64_t left)
{
    EXPECT(rr_serve(channel->server, echo, NULL, NULL), -ESHUTDOWN);
    EXPECT(rr_channel_queued(rr_server_channel(channel->server)), 1);
    EXPECT(rr_client_get(channel->client, left, NULL, 0), -EAGAIN);
    pair rest = *channel;
    EXPECT(rr_server_from_fd(rr_channel_fd(rr_server_channel(channel->server)), NULL, &rest.server, NULL), 0);
    serve_queued(&rest, echo, NULL);
    collect_text(channel->client, left, "left");
    expect_all_done(&rest);
    rr_server_free(rest.server);
}

typedef struct stopping {
    rr_server *server;
    void (*by)(void *);
    int returned;
} stopping;

static int stop_and_reply(void *ctx, const rr_view *request, rr_buffer *reply)
{
    const stopping *how = (const stopping *)ctx;
    CHECK(says(request, "first"));
    how->by(how->server);
    write_text(reply, "its reply");
    return how->returned;
}

/* One request whose handler brings the stop about, and one that is left. */
static void expect_reply_in_spite_of_stop(void (*by)(void *), int returned, int result)
{
    pair channel = open_pair(3);
    stopping how = {channel.server, by, returned};
    uint64_t first = send_text(channel.client, "first"), left = send_text(channel.client, "left");
    EXPECT(rr_serve(channel.server, stop_and_reply, &how, NULL), result);
    char text[16];
    if (returned < 0) {
        expect_remote_error(channel.client, first, returned, text, sizeof text);
        CHECK(strcmp(text, "its reply") == 0);
    } else {
        EXPECT(rr_client_get(channel.client, first, text, sizeof text), 9);
        CHECK(memcmp(text, "its reply", 9) == 0);
    }
    expect_served_by_another(&channel, left);
    close_pair(&channel);
}

static void a_handler_that_stops_its_handle_has_its_reply_sent(void)
{
    expect_reply_in_spite_of_stop(stop, RR_SERVE_CONTINUE, -ESHUTDOWN);
    expect_reply_in_spite_of_stop(stop, -33, -ESHUTDOWN);
    expect_reply_in_spite_of_stop(stop, RR_SERVE_STOP, 0);
}

static void *stop_in_thread(void *server)
{
    stop(server);
    return NULL;
}

static void let_another_thread_stop(void *server)
{
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, stop_in_thread, server) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
}

static void a_stop_by_another_thread_lets_the_handler_that_runs_reply(void)
{
    expect_reply_in_spite_of_stop(let_another_thread_stop, RR_SERVE_CONTINUE, -ESHUTDOWN);
    expect_reply_in_spite_of_stop(let_another_thread_stop, -33, -ESHUTDOWN);
}

static rr_server *server_to_stop;

static void stop_on_signal(int signal_number)
{
    (void)signal_number;
    rr_server_stop(server_to_stop);
}

static void on_signal(int signal_number, void (*handler)(int), int flags)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = handler;
    action.sa_flags = flags;
    CHECK(sigaction(signal_number, &action, NULL) == 0);
}

static void let_a_signal_handler_stop(void *server)
{
    server_to_stop = (rr_server *)server;
    CHECK(raise(SIGUSR2) == 0);
}

static void a_stop_by_a_signal_handler_lets_the_handler_that_runs_reply(void)
{
    on_signal(SIGUSR2, stop_on_signal, SA_RESTART);
    expect_reply_in_spite_of_stop(let_a_signal_handler_stop, RR_SERVE_CONTINUE, -ESHUTDOWN);
    expect_reply_in_spite_of_stop(let_a_signal_handler_stop, -33, -ESHUTDOWN);
}

static void send_signal(void *thread)
{
    CHECK(pthread_kill(*(pthread_t *)thread, SIGUSR2) == 0);
}

static void a_stop_ends_an_idle_loop(void)
{
    pthread_t self = pthread_self();
    for (int by_signal = 0; by_signal < 2; by_signal++) {
        pair channel = open_pair(3);
        server_to_stop = channel.server;
        on_signal(SIGUSR2, stop_on_signal, SA_RESTART);
        deed stopping;
        if (by_signal)
            plan(&stopping, rr_server_channel(channel.server), send_signal, &self);
        else
            plan(&stopping, rr_server_channel(channel.server), stop, channel.server);
        EXPECT(rr_serve(channel.server, echo, NULL, NULL), -ESHUTDOWN);
        CHECK(now() - done(&stopping) < 10 * SECOND);
        expect_served_by_another(&channel, send_text(channel.client, "left"));
        close_pair(&channel);
    }
}

typedef struct crew {
    pair channel;
    gate at_work, may_end;
} crew;

static int work(void *ctx, const rr_view *request, rr_buffer *reply)
{
    crew *of = (crew *)ctx;
    open_gate(&of->at_work);
    pass_gate(&of->may_end);
    return echo(NULL, request, reply);
}

static void *serve_until_stopped(void *context)
{
    crew *of = (crew *)context;
    EXPECT(rr_serve(of->channel.server, work, of, NULL), -ESHUTDOWN);
    return NULL;
}

static void a_stop_ends_all_threads_that_serve_those_at_work_after_their_replies(void)
{
    crew four = {open_pair(4), new_gate(), new_gate()};
    pthread_t threads[4];
    for (size_t k = 0; k < LENGTH(threads); k++)
        CHECK(pthread_create(&threads[k], NULL, serve_until_stopped, &four) == 0);
    uint64_t one = send_text(four.channel.client, "one"), other = send_text(four.channel.client, "other");
    pass_gate(&four.at_work);
    pass_gate(&four.at_work);
    stop(four.channel.server);
    open_gate(&four.may_end);
    open_gate(&four.may_end);
    for (size_t k = 0; k < LENGTH(threads); k++)
        CHECK(pthread_join(threads[k], NULL) == 0);
    collect_text(four.channel.client, one, "one");
    collect_text(four.channel.client, other, "other");
    expect_all_done(&four.channel);
    drop_gate(&four.at_work);
    drop_gate(&four.may_end);
    close_pair(&four.channel);
}

static void ignore(int signal_number)
{
    (void)signal_number;
}

/* Runs a handler every few milliseconds, so that one runs in a sleep, whenever that begins; 0 ends it. */
static void interrupt_every(suseconds_t microseconds)
{
    struct itimerval timer;
    memset(&timer, 0, sizeof timer);
    timer.it_interval.tv_usec = timer.it_value.tv_usec = microseconds;
    CHECK(setitimer(ITIMER_REAL, &timer, NULL) == 0);
}

static void a_signal_handler_that_does_not_stop_ends_an_idle_loop_which_can_go_on(void)
{
    const int flags[] = {0, SA_RESTART};
    for (size_t k = 0; k < LENGTH(flags); k++) {
        pair channel = open_pair(1);
        on_signal(SIGALRM, ignore, flags[k]);
        interrupt_every(5000);
        EXPECT(rr_serve(channel.server, echo, NULL, NULL), -EINTR);
        EXPECT(rr_serve(channel.server, echo, NULL, NULL), -EINTR);
        interrupt_every(0);
        serve_queued(&channel, echo, NULL);
        close_pair(&channel);
    }
}

typedef struct hail {
    int served, interrupted;
} hail;

/* Goes on until there was enough of both. */
static int count_and_tell(void *ctx, const rr_view *request, rr_buffer *reply)
{
    hail *counted = (hail *)ctx;
    int enough = ++counted->served >= requests && counted->interrupted >= interruptions;
    (void)request;
    write_text(reply, enough ? "stop" : "go on");
    return enough ? RR_SERVE_STOP : RR_SERVE_CONTINUE;
}

static void request_until_told_to_stop(rr_client *client)
{
    const struct timespec pause = {0, 2 * MS};
    for (int k = 0;; k++) {
        char reply[8];
        int64_t length = rr_client_req(client, "?", 1, reply, sizeof reply, FOREVER);
        if (length == 4)
            return;
        EXPECT(length, 5);
        /* The server also sleeps in between, so that signals find it asleep. */
        if (k % 50 == 0)
            nanosleep(&pause, NULL);
    }
}

static void under_a_hail_of_signals_every_request_is_served_once(void)
{
    pair channel = open_pair(2);
    pid_t child = fork_child();
    if (child == 0) {
        request_until_told_to_stop(channel.client);
        child_ends();
    }
    on_signal(SIGALRM, ignore, 0);
    interrupt_every(500);
    hail counted = {0, 0};
    int result;
    while ((result = rr_serve(channel.server, count_and_tell, &counted, NULL)) == -EINTR)
        counted.interrupted++;
    interrupt_every(0);
    EXPECT(result, 0);
    expect_ended_well(child);
    rr_stats stats = stats_of(rr_server_channel(channel.server));
    EXPECT(stats.requests, counted.served);
    EXPECT(stats.replies, counted.served);
    expect_all_done(&channel);
    close_pair(&channel);
}

int main(int argc, char **argv)
{
    int few = argc > 1 && strcmp(argv[1], "few") == 0;
    requests = few ? 200 : 20000;
    interruptions = few ? 5 : 50;
    RUN(a_handler_that_stops_its_handle_has_its_reply_sent);
    RUN(a_stop_by_another_thread_lets_the_handler_that_runs_reply);
    RUN(a_stop_by_a_signal_handler_lets_the_handler_that_runs_reply);
    RUN(a_stop_ends_an_idle_loop);
    RUN(a_stop_ends_all_threads_that_serve_those_at_work_after_their_replies);
    RUN(a_signal_handler_that_does_not_stop_ends_an_idle_loop_which_can_go_on);
    RUN(under_a_hail_of_signals_every_request_is_served_once);
    return 0;
}
