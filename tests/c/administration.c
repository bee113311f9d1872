/*
 * What an operator asks a channel: who is attached and what do they hold, what has it done, is it on disk.
 */
#include "filter.h"

#include <sys/mman.h>
#include <sys/stat.h>

#define ROOM 8

/* ---- participants ---- */

/* All that are attached; as many as are expected. */
static void list(rr_channel *channel, rr_participant found[ROOM], int64_t expected)
{
    CHECK(expected <= ROOM);
    memset(found, 0xAA, ROOM * sizeof *found);
    EXPECT(rr_channel_participants(channel, found, sizeof(rr_participant), ROOM), expected);
    for (int64_t k = 1; k < expected; k++)
        CHECK(found[k - 1].number < found[k].number);
}

/* Its only participant of this role and process. */
static rr_participant find(rr_channel *channel, uint32_t role, pid_t pid)
{
    rr_participant all[ROOM], found;
    int matches = 0;
    int64_t count = rr_channel_participants(channel, all, sizeof(rr_participant), ROOM);
    CHECK(count >= 0 && count <= ROOM);
    memset(&found, 0, sizeof found);
    for (int64_t k = 0; k < count; k++) {
        if (all[k].role == role && all[k].pid == pid) {
            found = all[k];
            matches++;
        }
    }
    EXPECT(matches, 1);
    return found;
}

/* Field 22 of /proc/PID/stat; the second field is in parentheses and may contain anything. */
static uint64_t start_time(pid_t pid)
{
    char path[64], line[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "re");
    CHECK(file != NULL);
    size_t length = fread(line, 1, sizeof line - 1, file);
    fclose(file);
    line[length] = 0;
    char *field = strrchr(line, ')');
    for (int k = 2; k < 22; k++) {
        CHECK(field != NULL);
        field = strchr(field + 1, ' ');
    }
    CHECK(field != NULL);
    return strtoull(field, NULL, 10);
}

static void participants_are_told_in_the_order_of_their_numbers(void)
{
    pair channel = open_pair(2);
    rr_client *other = another_client(&channel);
    rr_channel *handles[] = {rr_server_channel(channel.server), rr_client_channel(other)};
    for (size_t k = 0; k < LENGTH(handles); k++) {
        rr_participant found[ROOM];
        int servers = 0, clients = 0;
        list(handles[k], found, 3);
        for (int at = 0; at < 3; at++) {
            CHECK(found[at].number >= 1 && found[at].number <= 256);
            CHECK(found[at].pid == getpid() && found[at].start_time == start_time(getpid()));
            CHECK(found[at].alive == 1 && found[at].held == 0 && found[at].reserved == 0);
            servers += found[at].role == RR_ROLE_SERVER;
            clients += found[at].role == RR_ROLE_CLIENT;
        }
        CHECK(servers == 1 && clients == 2);
    }
    rr_client_free(other);
    rr_participant found[ROOM];
    list(handles[0], found, 2);
    close_pair(&channel);
}

static void as_many_are_filled_in_as_there_is_room_for(void)
{
    pair channel = open_pair(2);
    rr_channel *handle = rr_client_channel(channel.client);
    EXPECT(rr_channel_participants(handle, NULL, sizeof(rr_participant), 0), 2);
    EXPECT(rr_channel_participants(handle, NULL, sizeof(rr_participant), 1), -EINVAL);
    EXPECT(rr_channel_participants(handle, NULL, sizeof(rr_participant), SIZE_MAX), -EINVAL);
    rr_participant all[ROOM], some[3], untouched;
    memset(&untouched, 0xAA, sizeof untouched);
    list(handle, all, 2);
    for (size_t n = 0; n <= LENGTH(some); n++) {
        memset(some, 0xAA, sizeof some);
        EXPECT(rr_channel_participants(handle, some, sizeof(rr_participant), n), 2);
        for (size_t k = 0; k < LENGTH(some); k++)
            CHECK(memcmp(&some[k], k < n && k < 2 ? &all[k] : &untouched, sizeof untouched) == 0);
    }
    close_pair(&channel);
}

static void a_request_names_its_client_as_the_list_does(void)
{
    pair channel = open_pair(1);
    rr_request request;
    uint64_t id = send_text(channel.client, "");
    EXPECT(rr_recv(channel.server, NULL, 0, &request), 0);
    CHECK(request.client == find(rr_server_channel(channel.server), RR_ROLE_CLIENT, getpid()).number);
    EXPECT(rr_client_cancel(channel.client, id), 0);
    close_pair(&channel);
}

static void expect_held(const pair *channel, uint32_t by_server, uint32_t by_client)
{
    rr_channel *handle = rr_server_channel(channel->server);
    EXPECT(find(handle, RR_ROLE_SERVER, getpid()).held, by_server);
    EXPECT(find(handle, RR_ROLE_CLIENT, getpid()).held, by_client);
}

static void servers_hold_what_they_took_and_clients_what_they_have_not_collected(void)
{
    pair channel = open_pair(4);
    rr_buffer loan = RR_BUFFER_INIT;
    uint64_t loaned;
    expect_held(&channel, 0, 0);
    uint64_t first = send_text(channel.client, "first"), second = send_text(channel.client, "second");
    expect_held(&channel, 0, 2);
    uint64_t first_taken = take_text(channel.server, "first"), second_taken = take_text(channel.server, "second");
    expect_held(&channel, 2, 2);
    reply_text(channel.server, first_taken, "reply");
    expect_held(&channel, 1, 2);
    collect_text(channel.client, first, "reply");
    expect_held(&channel, 1, 1);
    EXPECT(rr_client_cancel(channel.client, second), 0);
    expect_held(&channel, 1, 0);
    EXPECT(rr_reply(channel.server, second_taken, "", 0), -ESTALE);
    expect_held(&channel, 0, 0);

    EXPECT(rr_client_loan(channel.client, &loan, within(0)), 0);
    expect_held(&channel, 0, 1);
    EXPECT(commit_loan(channel.client, &loan, 0, &loaned), 0);
    expect_held(&channel, 0, 1);
    EXPECT(rr_dismiss(channel.server, take_any(channel.server)), 0);
    expect_held(&channel, 0, 1);
    EXPECT(rr_client_get(channel.client, loaned, NULL, 0), -ENOMSG);
    expect_held(&channel, 0, 0);

    EXPECT(rr_client_post(channel.client, "told", 4, 0), 0);
    expect_held(&channel, 0, 0);
    uint64_t told = take_text(channel.server, "told");
    expect_held(&channel, 1, 0);
    EXPECT(rr_dismiss(channel.server, told), 0);
    expect_held(&channel, 0, 0);
    close_pair(&channel);
}

/* A child that takes one request and waits to be killed. */
static pid_t holder(const pair *channel)
{
    gate taken = new_gate();
    pid_t child = fork_child();
    if (child == 0) {
        take_any(channel->server);
        open_gate(&taken);
        for (;;)
            pause();
    }
    pass_gate(&taken);
    drop_gate(&taken);
    return child;
}

static void expect_listed(const pair *channel, pid_t pid, uint64_t started, uint32_t alive)
{
    rr_participant found = find(rr_client_channel(channel->client), RR_ROLE_SERVER, pid);
    CHECK(found.alive == alive && found.held == 1 && found.start_time == started);
}

static void the_dead_are_listed_with_what_they_held_until_somebody_sweeps(void)
{
    pair channel = open_pair(1);
    rr_channel *handle = rr_client_channel(channel.client);
    uint64_t id = send_text(channel.client, "taken");
    pid_t child = holder(&channel);
    uint64_t started = start_time(child);
    expect_listed(&channel, child, started, 1);

    int status;
    CHECK(kill(child, SIGSTOP) == 0);
    CHECK(waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status));
    expect_listed(&channel, child, started, 1);

    siginfo_t info;
    CHECK(kill(child, SIGKILL) == 0);
    CHECK(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT) == 0);
    expect_listed(&channel, child, started, 0);
    expect_killed(child);
    expect_listed(&channel, child, started, 0);
    EXPECT(rr_channel_participants(handle, NULL, sizeof(rr_participant), 0), 3);

    EXPECT(rr_channel_recover(handle), 1);
    EXPECT(rr_channel_participants(handle, NULL, sizeof(rr_participant), 0), 2);
    expect_held(&channel, 0, 1);
    EXPECT(rr_client_get(channel.client, id, NULL, 0), -EOWNERDEAD);
    expect_works(&channel);
    close_pair(&channel);
}

static void a_stopped_handle_still_tells(void)
{
    pair channel = open_pair(1);
    EXPECT(rr_client_stop(channel.client), 0);
    EXPECT(rr_channel_participants(rr_client_channel(channel.client), NULL, sizeof(rr_participant), 0), 2);
    CHECK(stats_of(rr_client_channel(channel.client)).participants == 2);
    close_pair(&channel);
}

/* ---- statistics ---- */

static void reply_seven(void *context)
{
    const pair *channel = (const pair *)context;
    reply_text(channel->server, take_any(channel->server), "1234567");
}

/* All of it without a wait. */
static void act_without_waiting(const pair *channel)
{
    char buffer[8];
    rr_buffer loan = RR_BUFFER_INIT;
    uint64_t id = send_text(channel->client, "12345");
    reply_text(channel->server, take_any(channel->server), "1234567");
    collect_text(channel->client, id, "1234567");
    EXPECT(rr_client_post(channel->client, "123", 3, 0), 0);
    EXPECT(rr_reply(channel->server, take_any(channel->server), "dropped", 7), 0);
    id = send_text(channel->client, "12");
    EXPECT(rr_reply_error(channel->server, take_any(channel->server), 1, "oops"), 0);
    EXPECT(rr_client_get(channel->client, id, buffer, sizeof buffer), -EREMOTEIO);
    id = send_text(channel->client, "1");
    EXPECT(rr_dismiss(channel->server, take_any(channel->server)), 0);
    EXPECT(rr_client_get(channel->client, id, buffer, sizeof buffer), -ENOMSG);
    EXPECT(rr_client_loan(channel->client, &loan, within(0)), 0);
    EXPECT(rr_client_abort(channel->client, &loan), 0);
    EXPECT(rr_client_loan(channel->client, &loan, within(0)), 0);
    EXPECT(commit_loan(channel->client, &loan, 6, &id), 0);
    uint64_t taken = take_any(channel->server);
    EXPECT(rr_client_cancel(channel->client, id), 0);
    EXPECT(rr_reply(channel->server, taken, "late", 4), -ESTALE);
    send_text(channel->client, "");
    EXPECT(rr_client_loan(channel->client, &loan, within(0)), 0);
    EXPECT(rr_client_send(channel->client, "", 0, &id), -ENOBUFS);
    EXPECT(rr_client_post(channel->client, "", 0, 0), -ENOBUFS);
    EXPECT(rr_channel_clear(rr_client_channel(channel->client)), 1);
    EXPECT(rr_client_abort(channel->client, &loan), 0);
}

/* Nine calls that meet their deadline. */
static void let_time_pass(const pair *channel)
{
    char buffer[8];
    rr_request request;
    rr_view view;
    rr_buffer loan = RR_BUFFER_INIT;
    uint64_t id;
    EXPECT(rr_recv_wait(channel->server, buffer, sizeof buffer, &request, MS), -ETIMEDOUT);
    EXPECT(rr_recv_view(channel->server, &view, within(MS)), -ETIMEDOUT);
    EXPECT(rr_client_req(channel->client, "", 0, buffer, sizeof buffer, MS), -ETIMEDOUT);
    uint64_t ids[] = {send_text(channel->client, ""), send_text(channel->client, "")};
    EXPECT(rr_client_get_wait(channel->client, ids[0], buffer, sizeof buffer, MS), -ETIMEDOUT);
    EXPECT(rr_client_view(channel->client, ids[0], &view, NULL, within(MS)), -ETIMEDOUT);
    EXPECT(rr_client_wait_any(channel->client, ids, 2, within(MS)), -ETIMEDOUT);
    EXPECT(rr_client_send_wait(channel->client, "", 0, &id, MS), -ETIMEDOUT);
    EXPECT(rr_client_post(channel->client, "", 0, MS), -ETIMEDOUT);
    EXPECT(rr_client_loan(channel->client, &loan, within(MS)), -ETIMEDOUT);
    EXPECT(rr_channel_clear(rr_client_channel(channel->client)), 2);
}

static void the_statistics_count_all_that_happens_once(void)
{
    rr_options options = with_slots(2);
    options.spin_ns = -1;
    pair channel = {NULL, NULL};
    EXPECT(rr_server_new(NULL, &options, &channel.server, NULL), 0);
    EXPECT(rr_client_from_server(channel.server, &options, &channel.client, NULL), 0);
    rr_channel *handle = rr_client_channel(channel.client);
    act_without_waiting(&channel);
    rr_stats stats = stats_of(handle);
    CHECK(stats.slots == 2 && stats.free == 2 && stats.in_flight == 0 && stats.queued == 0);
    CHECK(stats.requests == 5 && stats.posts == 1 && stats.request_bytes == 5 + 3 + 2 + 1 + 6);
    CHECK(stats.replies == 2 && stats.reply_bytes == 7 + 4);
    CHECK(stats.cancels == 2 && stats.stale_replies == 1 && stats.full == 2);
    CHECK(stats.timeouts == 0 && stats.sleeps == 0 && stats.recoveries == 0);

    let_time_pass(&channel);
    stats = stats_of(handle);
    CHECK(stats.requests == 8 && stats.timeouts == 9 && stats.cancels == 5 && stats.full == 2);

    deed replying;
    plan(&replying, handle, reply_seven, &channel);
    uint64_t id = send_text(channel.client, "1");
    collect_text(channel.client, id, "1234567");
    done(&replying);
    CHECK(stats_of(handle).sleeps > stats.sleeps);
    CHECK(stats_of(handle).requests == 9 && stats_of(handle).replies == 3);

    id = send_text(channel.client, "");
    kill_and_reap(holder(&channel));
    CHECK(stats_of(handle).participants == 3 && stats_of(handle).recoveries == 0);
    EXPECT(rr_channel_recover(rr_server_channel(channel.server)), 1);
    CHECK(stats_of(handle).participants == 2 && stats_of(handle).recoveries == 1);
    EXPECT(rr_client_get(channel.client, id, NULL, 0), -EOWNERDEAD);
    close_pair(&channel);
}

/* ---- sync ---- */

static const char MAGIC[8] = {'S', 'H', 'M', 'R', 'R', 0x7F, 0x0D, 0x0A};

/* The file holds the whole channel: its header, and a payload that is in it now. */
static void expect_in_file(int fd, const char *payload)
{
    struct stat status;
    CHECK(fstat(fd, &status) == 0 && status.st_size > 0);
    size_t size = (size_t)status.st_size, got = 0;
    char *bytes = (char *)malloc(size);
    CHECK(bytes != NULL);
    while (got < size) {
        ssize_t some = pread(fd, bytes + got, size - got, (off_t)got);
        CHECK(some > 0);
        got += (size_t)some;
    }
    CHECK(memcmp(bytes, MAGIC, sizeof MAGIC) == 0);
    CHECK(memmem(bytes, size, payload, strlen(payload)) != NULL);
    free(bytes);
}

static void expect_syncs(pair *channel)
{
    const char payload[] = "a payload longer than what fits into the lines of a slot, so that it lies in its buffer: "
                           "0123456789abcdefghijklmnopqrstuvwxyz";
    channel->client = another_client(channel);
    uint64_t id = send_text(channel->client, payload);
    EXPECT(rr_channel_sync(rr_server_channel(channel->server)), 0);
    EXPECT(rr_channel_sync(rr_client_channel(channel->client)), 0);
    expect_in_file(rr_channel_fd(rr_client_channel(channel->client)), payload);
    EXPECT(rr_client_cancel(channel->client, id), 0);
    expect_works(channel);
    close_pair(channel);
}

/* The working directory is the test's own, and mostly on disk. */
static void a_channel_on_disk_is_in_its_file_after_a_sync(void)
{
    pair channel = {NULL, NULL};
    EXPECT(rr_server_new("./on-disk", NULL, &channel.server, NULL), 0);
    expect_syncs(&channel);
    CHECK(unlink("./on-disk") == 0);
}

static void syncing_a_channel_in_memory_is_allowed(void)
{
    pair named = {NULL, NULL}, memfd = {NULL, NULL}, anonymous = {NULL, NULL};
    EXPECT(rr_server_new(new_name(), NULL, &named.server, NULL), 0);
    EXPECT(rr_server_new_memfd("synced", NULL, &memfd.server, NULL), 0);
    EXPECT(rr_server_new(NULL, NULL, &anonymous.server, NULL), 0);
    expect_syncs(&named);
    expect_syncs(&memfd);
    expect_syncs(&anonymous);
}

static void what_the_system_says_of_a_sync_is_passed_on(void)
{
    static const int errors[] = {EIO, ENOMEM};
    for (size_t k = 0; k < LENGTH(errors); k++) {
        pid_t child = fork_child();
        if (child == 0) {
            pair channel = open_pair(1);
            CHECK(let_fail(SYS_msync, errors[k]));
            EXPECT(rr_channel_sync(rr_client_channel(channel.client)), -errors[k]);
            expect_works(&channel);
            close_pair(&channel);
            child_ends();
        }
        expect_ended_well(child);
    }
}

int main(void)
{
    RUN(participants_are_told_in_the_order_of_their_numbers);
    RUN(as_many_are_filled_in_as_there_is_room_for);
    RUN(a_request_names_its_client_as_the_list_does);
    RUN(servers_hold_what_they_took_and_clients_what_they_have_not_collected);
    RUN(the_dead_are_listed_with_what_they_held_until_somebody_sweeps);
    RUN(a_stopped_handle_still_tells);
    RUN(the_statistics_count_all_that_happens_once);
    RUN(a_channel_on_disk_is_in_its_file_after_a_sync);
    RUN(syncing_a_channel_in_memory_is_allowed);
    RUN(what_the_system_says_of_a_sync_is_passed_on);
    return 0;
}
