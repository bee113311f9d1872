/*
 * What a signal handler does to a call that waits: the wait ends, wherever it is, while it polls and when it is about to
 * sleep as well as when it sleeps; always, if the handler says so by rr_server_interrupt or rr_client_interrupt.
 *
 * Its argument says whether there is time for "many" rounds or for "few".
 */
#include "serving.h"
#include "waits.h"

static int64_t wait_for_any(scene *at, int64_t timeout_ns)
{
    const uint64_t ids[] = {0, at->held};
    return rr_client_wait_any(at->channel.client, ids, LENGTH(ids), within(timeout_ns));
}

static int64_t wait_to_post(scene *at, int64_t timeout_ns)
{
    return rr_client_post(at->channel.client, "posted", 6, timeout_ns);
}

static int64_t wait_to_serve(scene *at, int64_t timeout_ns)
{
    (void)timeout_ns;
    return rr_serve(at->channel.server, echo, NULL, NULL);
}

static const struct wait MORE[] = {{wait_for_any, 1, 0}, {wait_to_post, 1, 0}, {wait_to_serve, 0, 1}};
static const int64_t SPINS[] = {0, -1, 5 * MS};
/* When the signal is sent, in nanoseconds from the call on. */
static const int64_t DELAYS[] = {0, 5000, 10000, 20000, 50000, 100000, 200000, 500000, MS};

static int rounds;

static const struct wait *wait_number(size_t k)
{
    return k < LENGTH(WAITS) ? &WAITS[k] : &MORE[k - LENGTH(WAITS)];
}

static scene set_spinning_scene(const struct wait *wait, int64_t spin_ns)
{
    scene at;
    rr_options options = with_slots(1);
    options.spin_ns = spin_ns;
    EXPECT(rr_server_new(NULL, &options, &at.channel.server, NULL), 0);
    EXPECT(rr_client_from_server(at.channel.server, &options, &at.channel.client, NULL), 0);
    at.held = wait->slot_is_held ? send_text(at.channel.client, "held") : 0;
    return at;
}

/* ---- signals to a thread that waits, each some time after it began ---- */

static rr_server *server_to_interrupt;
static rr_client *client_to_interrupt;

static void interrupt(int number)
{
    (void)number;
    if (server_to_interrupt)
        rr_server_interrupt(server_to_interrupt);
    if (client_to_interrupt)
        rr_client_interrupt(client_to_interrupt);
}

typedef struct sender {
    pthread_t thread, waiter;
    /* The number of the wait that has begun, and of the last that has ended; 0 begins nothing. */
    int begun, ended;
    int64_t delay, patience;
    int sent, lost;
} sender;

static void *send_signals(void *context)
{
    sender *self = (sender *)context;
    for (int last = 0;;) {
        int number;
        while ((number = __atomic_load_n(&self->begun, __ATOMIC_ACQUIRE)) == last)
            sched_yield();
        if (number < 0)
            return NULL;
        int64_t at = now() + self->delay;
        while (now() < at)
            sched_yield();
        CHECK(pthread_kill(self->waiter, SIGUSR1) == 0);
        self->sent++;
        int64_t end = now() + self->patience;
        while (__atomic_load_n(&self->ended, __ATOMIC_ACQUIRE) < number) {
            sched_yield();
            if (now() < end)
                continue;
            self->lost++;
            CHECK(pthread_kill(self->waiter, SIGUSR1) == 0);
            end = now() + self->patience;
        }
        last = __atomic_load_n(&self->ended, __ATOMIC_ACQUIRE);
    }
}

/* How many of the waits one signal did not end. */
static int count_lost(const struct wait *wait, int64_t spin_ns, int interrupts, int64_t patience, int *sent)
{
    scene at = set_spinning_scene(wait, spin_ns);
    server_to_interrupt = interrupts && wait->by_server ? at.channel.server : NULL;
    client_to_interrupt = interrupts && !wait->by_server ? at.channel.client : NULL;
    sender other;
    memset(&other, 0, sizeof other);
    other.waiter = pthread_self();
    other.patience = patience;
    CHECK(pthread_create(&other.thread, NULL, send_signals, &other) == 0);
    int number = 0;
    for (size_t d = 0; d < LENGTH(DELAYS); d++)
        for (int k = 0; k < rounds; k++) {
            other.delay = DELAYS[d];
            __atomic_store_n(&other.begun, ++number, __ATOMIC_RELEASE);
            EXPECT(wait->call(&at, FOREVER), -EINTR);
            __atomic_store_n(&other.ended, number, __ATOMIC_RELEASE);
        }
    __atomic_store_n(&other.begun, -1, __ATOMIC_RELEASE);
    CHECK(pthread_join(other.thread, NULL) == 0);
    *sent += other.sent;
    if (at.held)
        EXPECT(rr_client_cancel(at.channel.client, at.held), 0);
    expect_works(&at.channel);
    close_pair(&at.channel);
    return other.lost;
}

static void handle_signals(void)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = interrupt;
    action.sa_flags = SA_RESTART;
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
}

static void nearly_every_handler_that_runs_ends_the_wait(void)
{
    handle_signals();
    for (size_t s = 0; s < LENGTH(SPINS); s++) {
        int sent = 0, lost = 0;
        for (size_t k = 0; k < LENGTH(WAITS) + LENGTH(MORE); k++)
            lost += count_lost(wait_number(k), SPINS[s], 0, 100 * MS, &sent);
        printf("spin_ns %" PRId64 ": %d of %d signals went unnoticed\n", SPINS[s], lost, sent);
        CHECK(lost * 20 <= sent);
    }
}

static void every_handler_that_interrupts_ends_the_wait(void)
{
    handle_signals();
    for (size_t s = 0; s < LENGTH(SPINS); s++)
        for (size_t k = 0; k < LENGTH(WAITS) + LENGTH(MORE); k++) {
            int sent = 0;
            EXPECT(count_lost(wait_number(k), SPINS[s], 1, 20 * SECOND, &sent), 0);
        }
}

/* ---- interruptions by themselves ---- */

static void interrupt_server(void *server)
{
    EXPECT(rr_server_interrupt((rr_server *)server), 0);
}

static void interrupt_client(void *client)
{
    EXPECT(rr_client_interrupt((rr_client *)client), 0);
}

static void interrupt_of(const struct wait *wait, scene *at)
{
    if (wait->by_server)
        interrupt_server(at->channel.server);
    else
        interrupt_client(at->channel.client);
}

static void an_interruption_by_another_thread_ends_every_wait_and_no_later_one(void)
{
    for (size_t k = 0; k < LENGTH(WAITS); k++) {
        scene at = set_scene(&WAITS[k]);
        deed interrupting;
        if (WAITS[k].by_server)
            plan(&interrupting, channel_of(&at), interrupt_server, at.channel.server);
        else
            plan(&interrupting, channel_of(&at), interrupt_client, at.channel.client);
        EXPECT(WAITS[k].call(&at, FOREVER), -EINTR);
        CHECK(now() - done(&interrupting) < 10 * SECOND);
        EXPECT(WAITS[k].call(&at, 10 * MS), -ETIMEDOUT);
        close_pair(&at.channel);
    }
}

static void one_that_comes_before_a_wait_ends_that_and_no_later_one(void)
{
    for (size_t s = 0; s < LENGTH(SPINS); s++)
        for (size_t k = 0; k < LENGTH(WAITS); k++) {
            scene at = set_spinning_scene(&WAITS[k], SPINS[s]);
            interrupt_of(&WAITS[k], &at);
            interrupt_of(&WAITS[k], &at);
            EXPECT(WAITS[k].call(&at, FOREVER), -EINTR);
            EXPECT(WAITS[k].call(&at, 10 * MS), -ETIMEDOUT);
            close_pair(&at.channel);
        }
}

static void a_call_that_need_not_wait_is_not_interrupted(void)
{
    pair channel = open_pair(1);
    interrupt_server(channel.server);
    interrupt_client(channel.client);
    expect_works(&channel);
    uint64_t id = send_text(channel.client, "question");
    EXPECT(take_any(channel.server), id);
    reply_text(channel.server, id, "reply");
    collect_text(channel.client, id, "reply");
    close_pair(&channel);
}

static void *receive_until_interrupted(void *server)
{
    char buffer[8];
    rr_request request;
    EXPECT(rr_recv_wait((rr_server *)server, buffer, sizeof buffer, &request, FOREVER), -EINTR);
    return NULL;
}

static void an_interruption_ends_the_waits_of_all_threads(void)
{
    pair channel = open_pair(1);
    pthread_t threads[6];
    for (size_t k = 0; k < LENGTH(threads); k++)
        CHECK(pthread_create(&threads[k], NULL, receive_until_interrupted, channel.server) == 0);
    while (stats_of(rr_server_channel(channel.server)).sleeps < LENGTH(threads))
        sched_yield();
    interrupt_server(channel.server);
    for (size_t k = 0; k < LENGTH(threads); k++)
        CHECK(pthread_join(threads[k], NULL) == 0);
    expect_works(&channel);
    close_pair(&channel);
}

static void an_interruption_does_not_end_the_waits_of_another_handle(void)
{
    pair channel = open_pair(1);
    rr_server *other;
    EXPECT(rr_server_from_fd(rr_channel_fd(rr_server_channel(channel.server)), NULL, &other, NULL), 0);
    rr_client *stranger = another_client(&channel);
    deed interrupting;
    char buffer[8];
    rr_request request;
    plan(&interrupting, rr_server_channel(other), interrupt_server, other);
    EXPECT(rr_recv_wait(channel.server, buffer, sizeof buffer, &request, 100 * MS), -ETIMEDOUT);
    done(&interrupting);
    uint64_t id = send_text(channel.client, "held");
    plan(&interrupting, rr_client_channel(stranger), interrupt_client, stranger);
    EXPECT(rr_client_get_wait(channel.client, id, buffer, sizeof buffer, 100 * MS), -ETIMEDOUT);
    done(&interrupting);
    EXPECT(rr_client_cancel(channel.client, id), 0);
    rr_client_free(stranger);
    rr_server_free(other);
    close_pair(&channel);
}

int main(int argc, char **argv)
{
    int few = argc > 1 && strcmp(argv[1], "few") == 0;
    rounds = few ? 1 : 3;
    /* What runs the program few times delivers signals when it pleases. */
    if (!few)
        RUN(nearly_every_handler_that_runs_ends_the_wait);
    RUN(every_handler_that_interrupts_ends_the_wait);
    RUN(an_interruption_by_another_thread_ends_every_wait_and_no_later_one);
    RUN(one_that_comes_before_a_wait_ends_that_and_no_later_one);
    RUN(a_call_that_need_not_wait_is_not_interrupted);
    RUN(an_interruption_ends_the_waits_of_all_threads);
    RUN(an_interruption_does_not_end_the_waits_of_another_handle);
    return 0;
}
