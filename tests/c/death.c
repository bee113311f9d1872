/*
 * A process may be killed at any time: whoever waits for it hears of it, what it held is free again, and one that only
 * stands still is left alone. Leaving does at once what dying does.
 */
#include "fixture.h"

static void kill_pid(void *pid)
{
    CHECK(kill(*(pid_t *)pid, SIGKILL) == 0);
}

static void expect_owner_dead(rr_client *client, uint64_t id)
{
    char buffer[8];
    EXPECT(rr_client_get_wait(client, id, buffer, sizeof buffer, 60 * SECOND), -EOWNERDEAD);
    EXPECT(rr_client_get(client, id, buffer, sizeof buffer), -ESTALE);
    EXPECT(rr_client_pending(client), 0);
}

/* A child that takes `count` requests and holds them. */
static pid_t holder(const pair *channel, int count)
{
    gate taken = new_gate();
    pid_t child = fork_child();
    if (child == 0) {
        for (int k = 0; k < count; k++)
            take_any(channel->server);
        open_gate(&taken);
        for (;;)
            pause();
    }
    pass_gate(&taken);
    drop_gate(&taken);
    return child;
}

/* A child that sends `count` requests and waits for none. */
static pid_t sender(const pair *channel, int count)
{
    gate sent = new_gate();
    pid_t child = fork_child();
    if (child == 0) {
        for (int k = 0; k < count; k++)
            send_text(channel->client, "from the dead");
        open_gate(&sent);
        for (;;)
            pause();
    }
    pass_gate(&sent);
    drop_gate(&sent);
    return child;
}

/* How long after its server was killed a waiting client heard of it. */
static int64_t heard_after(void)
{
    pair channel = open_pair(2);
    uint64_t id = send_text(channel.client, "question");
    pid_t server = holder(&channel, 1);
    deed killing;
    plan(&killing, rr_client_channel(channel.client), kill_pid, &server);
    expect_owner_dead(channel.client, id);
    int64_t after = now() - done(&killing);
    printf("  -EOWNERDEAD %" PRId64 " ms after the kill\n", after / MS);
    expect_killed(server);
    expect_works(&channel);
    close_pair(&channel);
    return after;
}

/* A busy machine may delay one or the other, but not all of them. */
static void a_waiting_client_hears_within_200_ms_that_its_server_was_killed(void)
{
    int tries = 1;
    while (heard_after() > 200 * MS)
        CHECK(++tries <= 5);
}

static void a_whole_request_hears_it_too_and_leaves_nothing_pending(void)
{
    pair channel = open_pair(1);
    pid_t server = fork_child();
    if (server == 0) {
        take_any(channel.server);
        kill(getpid(), SIGKILL);
    }
    char buffer[8];
    EXPECT(rr_client_req(channel.client, "", 0, buffer, sizeof buffer, 60 * SECOND), -EOWNERDEAD);
    EXPECT(rr_client_pending(channel.client), 0);
    expect_works(&channel);
    expect_killed(server);
    close_pair(&channel);
}

static void a_zombie_counts_as_dead(void)
{
    pair channel = open_pair(2);
    uint64_t id = send_text(channel.client, "question");
    pid_t server = holder(&channel, 1);
    siginfo_t info;
    CHECK(kill(server, SIGKILL) == 0);
    CHECK(waitid(P_PID, (id_t)server, &info, WEXITED | WNOWAIT) == 0);
    expect_owner_dead(channel.client, id);
    expect_killed(server);
    close_pair(&channel);
}

static void a_server_that_stands_still_is_not_dead(void)
{
    pair channel = open_pair(1);
    gate reply = new_gate(), taken = new_gate();
    uint64_t id = send_text(channel.client, "first");
    pid_t server = fork_child();
    if (server == 0) {
        uint64_t request = take_text(channel.server, "first");
        open_gate(&taken);
        pass_gate(&reply);
        reply_text(channel.server, request, "late");
        serve_echo(channel.server, 1);
        child_ends();
    }
    pass_gate(&taken);
    int status;
    CHECK(kill(server, SIGSTOP) == 0);
    CHECK(waitpid(server, &status, WUNTRACED) == server && WIFSTOPPED(status));
    open_gate(&reply);

    char buffer[8];
    EXPECT(rr_client_get_wait(channel.client, id, buffer, sizeof buffer, 300 * MS), -ETIMEDOUT);
    EXPECT(rr_channel_recover(rr_client_channel(channel.client)), 0);
    EXPECT(rr_client_get(channel.client, id, buffer, sizeof buffer), -EAGAIN);

    CHECK(kill(server, SIGCONT) == 0);
    collect_text(channel.client, id, "late");
    request_text(channel.client, "next", "next");
    expect_ended_well(server);
    drop_gate(&reply);
    drop_gate(&taken);
    close_pair(&channel);
}

static void a_reply_that_was_sent_before_death_is_delivered(void)
{
    pair channel = open_pair(2);
    uint64_t id = send_text(channel.client, "question");
    pid_t server = fork_child();
    if (server == 0) {
        serve_echo(channel.server, 1);
        kill(getpid(), SIGKILL);
    }
    expect_killed(server);
    EXPECT(rr_channel_recover(rr_client_channel(channel.client)), 1);
    collect_text(channel.client, id, "question");
    close_pair(&channel);
}

static void the_slots_of_killed_clients_are_free_for_the_next_send(void)
{
    pair channel = open_pair(6);
    pid_t clients[3];
    uint64_t id;
    for (size_t k = 0; k < LENGTH(clients); k++)
        clients[k] = sender(&channel, 2);
    EXPECT(rr_client_send(channel.client, "", 0, &id), -ENOBUFS);
    for (size_t k = 0; k < LENGTH(clients); k++)
        kill_and_reap(clients[k]);
    for (int k = 0; k < 6; k++)
        send_text(channel.client, "from the living");
    for (int k = 0; k < 6; k++)
        take_text(channel.server, "from the living");
    expect_none_queued(channel.server);
    CHECK(stats_of(rr_server_channel(channel.server)).recoveries == LENGTH(clients));
    close_pair(&channel);
}

static void a_client_that_waits_for_a_slot_gets_that_of_a_killed_one(void)
{
    pair channel = open_pair(1);
    pid_t client = sender(&channel, 1);
    deed killing;
    uint64_t id;
    plan(&killing, rr_client_channel(channel.client), kill_pid, &client);
    EXPECT(rr_client_send_wait(channel.client, "living", 6, &id, 60 * SECOND), 0);
    done(&killing);
    expect_killed(client);
    take_text(channel.server, "living");
    close_pair(&channel);
}

static void a_reply_to_a_killed_client_is_stale_and_frees_its_slot(void)
{
    pair channel = open_pair(1);
    pid_t client = sender(&channel, 1);
    uint64_t taken = take_text(channel.server, "from the dead");
    kill_and_reap(client);
    EXPECT(rr_channel_recover(rr_server_channel(channel.server)), 1);
    EXPECT(rr_reply(channel.server, taken, "", 0), -ESTALE);
    expect_works(&channel);
    close_pair(&channel);
}

static void recover_says_how_many_it_swept_up_after(void)
{
    pair channel = open_pair(8);
    uint64_t first = send_text(channel.client, "1"), second = send_text(channel.client, "2");
    pid_t dead[] = {holder(&channel, 1), holder(&channel, 1), sender(&channel, 3)};
    rr_channel *handle = rr_client_channel(channel.client);
    EXPECT(rr_channel_recover(handle), 0);
    for (size_t k = 0; k < LENGTH(dead); k++)
        kill_and_reap(dead[k]);
    CHECK(stats_of(handle).participants == 5);
    EXPECT(rr_channel_recover(handle), 3);
    EXPECT(rr_channel_recover(handle), 0);
    CHECK(stats_of(handle).participants == 2);
    EXPECT(rr_client_get(channel.client, first, NULL, 0), -EOWNERDEAD);
    EXPECT(rr_client_get(channel.client, second, NULL, 0), -EOWNERDEAD);
    EXPECT(rr_channel_queued(handle), 0);
    expect_works(&channel);
    close_pair(&channel);
}

static void the_place_of_a_killed_participant_is_free_for_another(void)
{
    rr_options two = RR_OPTIONS_INIT;
    two.participants = 2;
    rr_server *server;
    EXPECT(rr_server_new(NULL, &two, &server, NULL), 0);
    for (int k = 0; k < 5; k++) {
        pid_t child = fork_child();
        if (child == 0) {
            rr_client *client;
            EXPECT(rr_client_from_server(server, NULL, &client, NULL), 0);
            send_text(client, "last words");
            kill(getpid(), SIGKILL);
        }
        expect_killed(child);
    }
    rr_client *client;
    EXPECT(rr_client_from_server(server, NULL, &client, NULL), 0);
    CHECK(stats_of(rr_server_channel(server)).recoveries == 5);
    expect_none_queued(server);
    rr_client_free(client);
    rr_server_free(server);
}

static void a_given_up_request_does_not_keep_its_slot_when_its_server_dies(void)
{
    pair channel = open_pair(1);
    for (int k = 0; k < 20; k++) {
        uint64_t id = send_text(channel.client, "question");
        pid_t server = holder(&channel, 1);
        EXPECT(rr_client_cancel(channel.client, id), 0);
        kill_and_reap(server);
    }
    CHECK(stats_of(rr_client_channel(channel.client)).free == 1);
    expect_works(&channel);
    close_pair(&channel);
}

static void a_server_that_leaves_fails_what_it_took_at_once(void)
{
    pair channel = open_pair(3);
    uint64_t held = send_text(channel.client, "held"), replied = send_text(channel.client, "replied");
    take_text(channel.server, "held");
    reply_text(channel.server, take_text(channel.server, "replied"), "reply");
    rr_server *next;
    EXPECT(rr_server_from_fd(rr_channel_fd(rr_server_channel(channel.server)), NULL, &next, NULL), 0);
    rr_server_free(channel.server);
    channel.server = next;
    EXPECT(rr_client_get(channel.client, held, NULL, 0), -EOWNERDEAD);
    collect_text(channel.client, replied, "reply");
    expect_works(&channel);
    close_pair(&channel);
}

static void a_client_that_leaves_withdraws_what_it_sent(void)
{
    pair channel = open_pair(3);
    rr_client *leaving = another_client(&channel);
    send_text(leaving, "replied");
    send_text(leaving, "taken");
    send_text(leaving, "queued");
    reply_text(channel.server, take_text(channel.server, "replied"), "");
    uint64_t taken = take_text(channel.server, "taken");
    rr_client_free(leaving);
    expect_none_queued(channel.server);
    EXPECT(rr_reply(channel.server, taken, "", 0), -ESTALE);
    rr_stats stats = stats_of(rr_server_channel(channel.server));
    CHECK(stats.in_flight == 0 && stats.free == 3 && stats.participants == 2);
    expect_works(&channel);
    close_pair(&channel);
}

/* Where the locks of participants end, as somebody sees it who takes part in nothing. */
static off_t past_all_locks(int fd)
{
    struct flock lock;
    off_t from = 0;
    for (;;) {
        memset(&lock, 0, sizeof lock);
        lock.l_type = F_WRLCK;
        lock.l_start = from;
        CHECK(fcntl(fd, F_OFD_GETLK, &lock) == 0);
        if (lock.l_type == F_UNLCK)
            return from;
        from = lock.l_start + lock.l_len;
    }
}

typedef struct foreign_lock {
    int access;
    short type;
    off_t start, length;
} foreign_lock;

/* Of a stranger that opened the file anew, from past all others on if no start is given. */
static int take_lock(rr_channel *channel, foreign_lock wanted)
{
    char path[32];
    struct flock lock;
    snprintf(path, sizeof path, "/proc/self/fd/%d", rr_channel_fd(channel));
    int fd = open(path, wanted.access | O_CLOEXEC);
    CHECK(fd >= 0);
    memset(&lock, 0, sizeof lock);
    lock.l_type = wanted.type;
    lock.l_start = wanted.start ? wanted.start : past_all_locks(fd);
    lock.l_len = wanted.length;
    CHECK(fcntl(fd, F_OFD_SETLK, &lock) == 0);
    return fd;
}

/* The third is on the first byte of number 3: docs/FORMAT.md. */
static void locks_of_strangers_hide_no_death(void)
{
    const foreign_lock locks[] = {{O_RDONLY, F_RDLCK, 0, 0},
                                  {O_RDWR, F_WRLCK, 0, 0},
                                  {O_RDONLY, F_RDLCK, ((off_t)1 << 60) + ((off_t)3 << 40), 1}};
    for (size_t k = 0; k < LENGTH(locks); k++) {
        pair channel = open_pair(2);
        rr_channel *at = rr_server_channel(channel.server);
        rr_client *other;
        kill_and_reap(sender(&channel, 1));
        int fd = take_lock(at, locks[k]);
        EXPECT(rr_channel_recover(at), 1);
        expect_works(&channel);
        /* What they do hinder is joining: "What is not promised" in docs/RELIABILITY.md. */
        EXPECT(rr_client_from_server(channel.server, NULL, &other, NULL), locks[k].length ? 0 : -EUSERS);
        rr_client_free(other);
        close(fd);
        EXPECT(rr_client_from_server(channel.server, NULL, &other, NULL), 0);
        rr_client_free(other);
        close_pair(&channel);
    }
}

int main(void)
{
    RUN(a_waiting_client_hears_within_200_ms_that_its_server_was_killed);
    RUN(a_whole_request_hears_it_too_and_leaves_nothing_pending);
    RUN(a_zombie_counts_as_dead);
    RUN(a_server_that_stands_still_is_not_dead);
    RUN(locks_of_strangers_hide_no_death);
    RUN(a_reply_that_was_sent_before_death_is_delivered);
    RUN(the_slots_of_killed_clients_are_free_for_the_next_send);
    RUN(a_client_that_waits_for_a_slot_gets_that_of_a_killed_one);
    RUN(a_reply_to_a_killed_client_is_stale_and_frees_its_slot);
    RUN(recover_says_how_many_it_swept_up_after);
    RUN(the_place_of_a_killed_participant_is_free_for_another);
    RUN(a_given_up_request_does_not_keep_its_slot_when_its_server_dies);
    RUN(a_server_that_leaves_fails_what_it_took_at_once);
    RUN(a_client_that_leaves_withdraws_what_it_sent);
    return 0;
}
