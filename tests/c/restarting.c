/*
 * With RR_WAIT_RESTART, or in a handle with RR_OPT_RESTART, calls go on under their one deadline however often signal
 * handlers run: while they poll, and while they sleep. Interruptions and stops end them all the same.
 */
#include "interrupts.h"
#include "serving.h"

#define LONG_ENOUGH (50 * MS)

static const int64_t PERIODS[] = {MS, 60000};
/* Sleeping at once, as the library does by itself, and polling to the end. */
static const int64_t SPINS[] = {-1, 0, 2 * SECOND};

static pair open_spinning(int64_t spin_ns, uint32_t flags)
{
    pair channel;
    rr_options options = with_slots(4);
    options.spin_ns = spin_ns;
    options.flags = flags;
    EXPECT(rr_server_new(NULL, &options, &channel.server, NULL), 0);
    EXPECT(rr_client_from_server(channel.server, &options, &channel.client, NULL), 0);
    return channel;
}

/* A child takes so many requests, each of which takes it a while, and notes how many there were. */
static pid_t fork_slow_server(const pair *channel, int count)
{
    pid_t child = fork_child();
    if (child != 0)
        return child;
    for (int k = 0; k < count; k++) {
        uint64_t id = take_any(channel->server);
        const struct timespec while_it_works = {0, LONG_ENOUGH};
        CHECK(nanosleep(&while_it_works, NULL) == 0);
        reply_text(channel->server, id, "answer");
    }
    child_ends();
    return 0;
}

static rr_wait restarting(int64_t timeout_ns)
{
    rr_wait wait = RR_WAIT_INIT;
    wait.flags = RR_WAIT_RESTART;
    wait.timeout_ns = timeout_ns;
    return wait;
}

static int64_t ask(rr_client *client, const rr_wait *wait)
{
    char buffer[16];
    rr_msg message = RR_MSG_INIT;
    message.data = "question";
    message.length = 8;
    return rr_client_req_msg(client, &message, buffer, sizeof buffer, NULL, wait);
}

static void a_call_under_a_timer_is_answered_at_its_first_try(void)
{
    for (size_t s = 0; s < LENGTH(SPINS); s++)
        for (size_t p = 0; p < LENGTH(PERIODS); p++)
            for (int by_handle = 0; by_handle < 2; by_handle++) {
                pair channel = open_spinning(SPINS[s], by_handle ? RR_OPT_RESTART : 0);
                pid_t server = fork_slow_server(&channel, 2);
                timer_t timer = begin_interrupts_each(PERIODS[p], SA_RESTART);
                if (by_handle) {
                    char buffer[16];
                    EXPECT(rr_client_req(channel.client, "question", 8, buffer, sizeof buffer, FOREVER), 6);
                    uint64_t id = send_text(channel.client, "question");
                    EXPECT(rr_client_get_wait(channel.client, id, buffer, sizeof buffer, FOREVER), 6);
                } else {
                    const rr_wait wait = restarting(FOREVER);
                    char buffer[16];
                    EXPECT(ask(channel.client, &wait), 6);
                    uint64_t id = send_text(channel.client, "question");
                    EXPECT(rr_client_wait_any(channel.client, &id, 1, &wait), 0);
                    EXPECT(rr_client_get(channel.client, id, buffer, sizeof buffer), 6);
                }
                CHECK(handled > 10);
                end_interrupts(timer);
                expect_ended_well(server);
                EXPECT(stats_of(rr_server_channel(channel.server)).requests, 2);
                EXPECT(stats_of(rr_server_channel(channel.server)).cancels, 0);
                close_pair(&channel);
            }
}

static void without_the_flag_the_timer_ends_it(void)
{
    for (size_t s = 0; s < LENGTH(SPINS); s++) {
        pair channel = open_spinning(SPINS[s], 0);
        timer_t timer = begin_interrupts_each(MS, SA_RESTART);
        const rr_wait wait = RR_WAIT_INIT;
        EXPECT(ask(channel.client, &wait), -EINTR);
        end_interrupts(timer);
        close_pair(&channel);
    }
}

static void handlers_put_off_no_deadline(void)
{
    for (size_t s = 0; s < LENGTH(SPINS); s++)
        for (size_t p = 0; p < LENGTH(PERIODS); p++) {
            pair channel = open_spinning(SPINS[s], 0);
            timer_t timer = begin_interrupts_each(PERIODS[p], 0);
            for (int by_server = 0; by_server < 2; by_server++) {
                char buffer[16];
                rr_request request;
                const rr_wait wait = restarting(LONG_ENOUGH);
                int64_t begun = now();
                EXPECT(by_server ? rr_recv_msg(channel.server, buffer, sizeof buffer, &request, &wait)
                                 : ask(channel.client, &wait),
                       -ETIMEDOUT);
                CHECK(now() - begun >= LONG_ENOUGH && now() - begun < 5 * SECOND);
            }
            end_interrupts(timer);
            close_pair(&channel);
        }
}

/* It is looked after each 25 ms, which no sleep under this timer lasts. */
static void handlers_put_off_no_news_of_a_death(void)
{
    pair channel = open_spinning(-1, 0);
    gate taken = new_gate();
    pid_t server = fork_child();
    if (server == 0) {
        take_any(channel.server);
        open_gate(&taken);
        for (;;)
            pause();
    }
    uint64_t id = send_text(channel.client, "last words");
    pass_gate(&taken);
    kill_and_reap(server);
    timer_t timer = begin_interrupts_each(MS, SA_RESTART);
    const rr_wait wait = restarting(20 * SECOND);
    char buffer[16];
    int64_t begun = now();
    EXPECT(rr_client_get_msg(channel.client, id, buffer, sizeof buffer, NULL, &wait), -EOWNERDEAD);
    /* At its deadline the call would notice anyway. */
    CHECK(now() - begun < 10 * SECOND);
    end_interrupts(timer);
    drop_gate(&taken);
    close_pair(&channel);
}

static rr_client *client_to_end;

static void interrupt_client(int number)
{
    (void)number;
    rr_client_interrupt(client_to_end);
}

static void stop_client(int number)
{
    (void)number;
    rr_client_stop(client_to_end);
}

static void send_signal(void *thread)
{
    CHECK(pthread_kill(*(pthread_t *)thread, SIGUSR2) == 0);
}

static void interruptions_and_stops_end_it_all_the_same(void)
{
    void (*const handlers[])(int) = {interrupt_client, stop_client};
    const int codes[] = {-EINTR, -ESHUTDOWN};
    for (size_t k = 0; k < LENGTH(handlers); k++) {
        pair channel = open_spinning(-1, RR_OPT_RESTART);
        client_to_end = channel.client;
        struct sigaction action;
        memset(&action, 0, sizeof action);
        action.sa_handler = handlers[k];
        CHECK(sigaction(SIGUSR2, &action, NULL) == 0);
        pthread_t self = pthread_self();
        deed signalling;
        plan(&signalling, rr_server_channel(channel.server), send_signal, &self);
        EXPECT(ask(channel.client, NULL), codes[k]);
        done(&signalling);
        close_pair(&channel);
    }
}

static void waiting_for_a_channel_goes_on_as_well(void)
{
    for (int by_handle = 0; by_handle < 2; by_handle++) {
        const rr_wait wait = restarting(LONG_ENOUGH);
        rr_options options = RR_OPTIONS_INIT;
        rr_client *client;
        options.connect = by_handle ? NULL : &wait;
        options.connect_timeout_ns = LONG_ENOUGH;
        options.flags = by_handle ? RR_OPT_RESTART : 0;
        timer_t timer = begin_interrupts_each(MS, 0);
        int64_t begun = now();
        EXPECT(rr_client_new(new_name(), &options, &client, NULL), -ENOENT);
        CHECK(now() - begun >= LONG_ENOUGH);
        end_interrupts(timer);
    }
}

int main(void)
{
    RUN(a_call_under_a_timer_is_answered_at_its_first_try);
    RUN(without_the_flag_the_timer_ends_it);
    RUN(handlers_put_off_no_deadline);
    RUN(handlers_put_off_no_news_of_a_death);
    RUN(interruptions_and_stops_end_it_all_the_same);
    RUN(waiting_for_a_channel_goes_on_as_well);
    return 0;
}
