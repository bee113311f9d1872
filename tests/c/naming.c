/*
 * Whether a channel is still the one that its path names, and whether anybody is there to answer: asked for by whoever
 * wants to know, or, with RR_OPT_NEED_SERVER, told by the call that needs a server and has none.
 */
#include "fixture.h"

#include <sys/stat.h>

static rr_client *client_of(const char *name, uint32_t flags)
{
    rr_options options = RR_OPTIONS_INIT;
    options.flags = flags;
    rr_client *client = NULL;
    EXPECT(rr_client_new(name, &options, &client, NULL), 0);
    return client;
}

static rr_server *server_of(const char *name, uint32_t slots, uint32_t flags)
{
    rr_options options = with_slots(slots);
    options.flags = flags;
    rr_server *server = NULL;
    EXPECT(rr_server_new(name, &options, &server, NULL), 0);
    return server;
}

/* A child that serves the channel of this name, which it makes if it is not there. */
static pid_t serving_child(const char *name)
{
    gate ready = new_gate();
    pid_t child = fork_child();
    if (child == 0) {
        rr_server *server = server_of(name, 2, 0);
        open_gate(&ready);
        serve_echo(server, INT32_MAX);
    }
    pass_gate(&ready);
    drop_gate(&ready);
    return child;
}

static void a_channel_is_current_until_its_name_is_gone_or_names_another_file(void)
{
    const char *name = new_name();
    rr_server *server = server_of(name, 1, 0);
    rr_client *client = client_of(name, 0), *beside = NULL;
    EXPECT(rr_client_from_server(server, NULL, &beside, NULL), 0);
    rr_channel *channels[] = {rr_server_channel(server), rr_client_channel(client), rr_client_channel(beside)};
    for (size_t k = 0; k < LENGTH(channels); k++)
        EXPECT(rr_channel_is_current(channels[k]), 1);
    EXPECT(rr_unlink(name), 0);
    for (size_t k = 0; k < LENGTH(channels); k++)
        EXPECT(rr_channel_is_current(channels[k]), 0);
    rr_server *another = server_of(name, 1, 0);
    for (size_t k = 0; k < LENGTH(channels); k++)
        EXPECT(rr_channel_is_current(channels[k]), 0);
    EXPECT(rr_channel_is_current(rr_server_channel(another)), 1);
    rr_client_free(beside);
    rr_client_free(client);
    rr_server_free(server);
    rr_server_free(another);
}

static void a_symbolic_link_and_what_is_no_file_are_not_the_channel(void)
{
    const char *name = new_name();
    rr_server *server = server_of(name, 1, 0);
    rr_channel *channel = rr_server_channel(server);
    char path[128], moved[160];
    CHECK(rr_channel_path(channel, path, sizeof path) > 0);
    snprintf(moved, sizeof moved, "%s-moved", path);
    CHECK(rename(path, moved) == 0);
    EXPECT(rr_channel_is_current(channel), 0);
    CHECK(symlink(moved, path) == 0);
    EXPECT(rr_channel_is_current(channel), 0);
    CHECK(unlink(path) == 0 && mkdir(path, 0700) == 0);
    EXPECT(rr_channel_is_current(channel), 0);
    CHECK(rmdir(path) == 0 && link(moved, path) == 0);
    EXPECT(rr_channel_is_current(channel), 1);
    CHECK(unlink(moved) == 0);
    EXPECT(rr_channel_is_current(channel), 1);
    rr_server_free(server);
}

static void a_channel_without_a_path_has_none_to_be_asked_for(void)
{
    pair channel = open_pair(1);
    EXPECT(rr_channel_is_current(rr_server_channel(channel.server)), -EINVAL);
    EXPECT(rr_channel_is_current(rr_client_channel(channel.client)), -EINVAL);
    close_pair(&channel);
}

static void servers_are_counted_as_long_as_they_live(void)
{
    const char *name = new_name();
    pid_t first = serving_child(name);
    rr_client *client = client_of(name, 0);
    rr_channel *channel = rr_client_channel(client);
    EXPECT(rr_channel_servers(channel), 1);
    pid_t second = serving_child(name);
    rr_server *own = server_of(name, 2, 0);
    EXPECT(rr_channel_servers(channel), 3);
    EXPECT(rr_channel_servers(rr_server_channel(own)), 3);

    CHECK(kill(second, SIGSTOP) == 0);
    EXPECT(rr_channel_servers(channel), 3);
    siginfo_t info;
    CHECK(kill(first, SIGKILL) == 0 && waitid(P_PID, (id_t)first, &info, WEXITED | WNOWAIT) == 0);
    EXPECT(rr_channel_servers(channel), 2);
    EXPECT(stats_of(channel).participants, 4);
    EXPECT(rr_channel_recover(channel), 1);
    EXPECT(rr_channel_servers(channel), 2);
    rr_server_free(own);
    EXPECT(rr_channel_servers(channel), 1);
    kill_and_reap(second);
    EXPECT(rr_channel_servers(channel), 0);
    expect_killed(first);
    rr_client_free(client);
}

/* A restart that cleans up first: the old client tells the one, and with the flag hears of the other at once. */
static void an_old_client_of_a_name_that_was_replaced_can_tell(void)
{
    const char *name = new_name();
    char buffer[8];
    pid_t server = serving_child(name);
    rr_client *old = client_of(name, RR_OPT_NEED_SERVER);
    request_text(old, "before", "before");
    kill_and_reap(server);
    EXPECT(rr_unlink(name), 0);
    server = serving_child(name);

    EXPECT(rr_client_req(old, "lost", 4, buffer, sizeof buffer, FOREVER), -ECONNREFUSED);
    EXPECT(rr_client_pending(old), 0);
    EXPECT(rr_channel_is_current(rr_client_channel(old)), 0);
    EXPECT(rr_channel_servers(rr_client_channel(old)), 0);
    rr_client_free(old);
    rr_client *anew = client_of(name, RR_OPT_NEED_SERVER);
    request_text(anew, "after", "after");
    EXPECT(rr_channel_is_current(rr_client_channel(anew)), 1);
    rr_client_free(anew);
    kill_and_reap(server);
}

static void every_call_that_sends_fails_at_once_without_a_server(void)
{
    const char *name = new_name();
    rr_server *server = server_of(name, 2, 0);
    rr_client *client = client_of(name, RR_OPT_NEED_SERVER);
    rr_buffer loan = RR_BUFFER_INIT, another = RR_BUFFER_INIT;
    EXPECT(rr_client_loan(client, &loan, within(0)), 0);
    rr_server_free(server);
    char buffer[8];
    uint64_t id = 7;
    EXPECT(rr_client_req(client, "x", 1, buffer, sizeof buffer, FOREVER), -ECONNREFUSED);
    EXPECT(rr_client_req(client, "x", 1, buffer, sizeof buffer, 0), -ECONNREFUSED);
    EXPECT(rr_client_send(client, "x", 1, &id), -ECONNREFUSED);
    EXPECT(rr_client_send_wait(client, "x", 1, &id, FOREVER), -ECONNREFUSED);
    EXPECT(send_labelled(client, "x", 1, 128, 0, &id, FOREVER), -ECONNREFUSED);
    EXPECT(rr_client_post(client, "x", 1, FOREVER), -ECONNREFUSED);
    EXPECT(rr_client_loan(client, &another, NULL), -ECONNREFUSED);
    EXPECT(commit_loan(client, &loan, 1, &id), -ECONNREFUSED);
    CHECK(id == 7 && loan.data != NULL);
    EXPECT(stats_of(rr_client_channel(client)).in_flight, 1);
    EXPECT(stats_of(rr_client_channel(client)).queued, 0);

    /* One that comes is found, and the loan has gone on. */
    server = server_of(name, 2, 0);
    EXPECT(commit_loan(client, &loan, 0, &id), 0);
    serve_echo(server, 1);
    EXPECT(rr_client_get(client, id, buffer, sizeof buffer), 0);
    EXPECT(rr_client_post(client, "x", 1, 0), 0);
    rr_server_free(server);
    rr_client_free(client);
}

static void so_do_those_that_send_integers(void)
{
    rr_options options = with_slots(2);
    options.kind = RR_KIND_INT;
    pair channel = {NULL, NULL};
    EXPECT(rr_server_new(NULL, &options, &channel.server, NULL), 0);
    options.flags = RR_OPT_NEED_SERVER;
    EXPECT(rr_client_from_server(channel.server, &options, &channel.client, NULL), 0);
    int64_t number;
    uint64_t id, refused;
    EXPECT(rr_client_send_i64(channel.client, 1, &id), 0);
    /* The kind is looked at first. */
    EXPECT(rr_client_send(channel.client, "x", 1, &refused), -EINVAL);
    rr_server_free(channel.server);
    EXPECT(rr_client_send(channel.client, "x", 1, &refused), -EINVAL);
    EXPECT(rr_client_send_i64(channel.client, 1, &refused), -ECONNREFUSED);
    EXPECT(rr_client_req_i64(channel.client, 1, &number, FOREVER), -ECONNREFUSED);
    EXPECT(rr_client_get_wait_i64(channel.client, id, &number, FOREVER), -ECONNREFUSED);
    EXPECT(rr_client_pending(channel.client), 1);
    rr_client_free(channel.client);
}

/* ---- waits ---- */

static void kill_server(void *server)
{
    kill_and_reap(*(pid_t *)server);
}

/* A channel with a server that is stopped, and takes nothing. */
typedef struct standstill {
    pid_t server;
    rr_client *client;
} standstill;

static standstill with_a_server_that_stands_still(const char *name, uint32_t flags)
{
    standstill at;
    at.server = serving_child(name);
    at.client = client_of(name, flags);
    int status;
    CHECK(kill(at.server, SIGSTOP) == 0);
    CHECK(waitpid(at.server, &status, WUNTRACED) == at.server && WIFSTOPPED(status));
    return at;
}

static int64_t wait_to_collect(rr_client *client, uint64_t id)
{
    char buffer[8];
    return rr_client_get_wait(client, id, buffer, sizeof buffer, FOREVER);
}

static int64_t wait_to_view(rr_client *client, uint64_t id)
{
    rr_view view;
    return rr_client_view(client, id, &view, NULL, NULL);
}

static int64_t wait_for_any(rr_client *client, uint64_t id)
{
    const uint64_t ids[] = {0, id};
    return rr_client_wait_any(client, ids, LENGTH(ids), NULL);
}

static int64_t wait_for_a_slot(rr_client *client, uint64_t id)
{
    (void)id;
    uint64_t refused;
    while (rr_client_send(client, "", 0, &refused) == 0)
        continue;
    return rr_client_send_wait(client, "", 0, &refused, FOREVER);
}

static int64_t wait_for_a_request(rr_client *client, uint64_t id)
{
    (void)id;
    char buffer[8];
    return rr_client_req(client, "", 0, buffer, sizeof buffer, FOREVER);
}

static void a_wait_ends_once_the_last_server_has_died_without_the_request(void)
{
    int64_t (*const waits[])(rr_client *, uint64_t) = {wait_to_collect, wait_to_view, wait_for_any, wait_for_a_slot,
                                                       wait_for_a_request};
    for (size_t k = 0; k < LENGTH(waits); k++) {
        const char *name = new_name();
        standstill at = with_a_server_that_stands_still(name, RR_OPT_NEED_SERVER);
        uint64_t id = send_text(at.client, "queued");
        deed killing;
        plan(&killing, rr_client_channel(at.client), kill_server, &at.server);
        EXPECT(waits[k](at.client, id), -ECONNREFUSED);
        done(&killing);
        /* At once, now; and what was sent before is still pending. */
        EXPECT(waits[k](at.client, id), -ECONNREFUSED);
        CHECK(rr_client_pending(at.client) >= 1);
        at.server = serving_child(name);
        collect_text(at.client, id, "queued");
        rr_client_free(at.client);
        kill_and_reap(at.server);
    }
}

static void a_request_that_the_last_server_took_fails_with_it(void)
{
    for (uint32_t redelivers = 0; redelivers < 2; redelivers++) {
        const char *name = new_name();
        rr_server_free(server_of(name, 2, redelivers ? RR_OPT_REDELIVER : 0));
        gate asked = new_gate(), taken = new_gate();
        pid_t server = fork_child();
        if (server == 0) {
            rr_server *own = server_of(name, 2, 0);
            open_gate(&asked);
            take_any(own);
            open_gate(&taken);
            for (;;)
                pause();
        }
        pass_gate(&asked);
        rr_client *client = client_of(name, RR_OPT_NEED_SERVER);
        uint64_t id = send_text(client, "taken");
        pass_gate(&taken);
        deed killing;
        plan(&killing, rr_client_channel(client), kill_server, &server);
        /* Where it is delivered again, it waits for a server like any other. */
        EXPECT(wait_to_collect(client, id), redelivers ? -ECONNREFUSED : -EOWNERDEAD);
        done(&killing);
        rr_client_free(client);
        drop_gate(&asked);
        drop_gate(&taken);
    }
}

static void a_server_that_leaves_ends_waits_as_one_that_dies(void)
{
    pair channel = open_pair(1);
    rr_client_free(channel.client);
    rr_options options = RR_OPTIONS_INIT;
    options.flags = RR_OPT_NEED_SERVER;
    EXPECT(rr_client_from_server(channel.server, &options, &channel.client, NULL), 0);
    uint64_t id = send_text(channel.client, "queued");
    rr_server_free(channel.server);
    EXPECT(wait_to_collect(channel.client, id), -ECONNREFUSED);
    EXPECT(wait_for_any(channel.client, id), -ECONNREFUSED);
    EXPECT(rr_client_cancel(channel.client, id), 0);
    rr_client_free(channel.client);
}

static void answer_when_attached(void *name)
{
    rr_server *server = server_of((const char *)name, 1, 0);
    serve_echo(server, 1);
    rr_server_free(server);
}

static void without_the_flag_a_call_waits_for_a_server(void)
{
    char name[64];
    snprintf(name, sizeof name, "%s", new_name());
    rr_server_free(server_of(name, 1, 0));
    rr_client *client = client_of(name, 0);
    char buffer[8];
    EXPECT(rr_client_req(client, "", 0, buffer, sizeof buffer, 60 * MS), -ETIMEDOUT);
    deed attaching;
    plan(&attaching, rr_client_channel(client), answer_when_attached, name);
    request_text(client, "waits", "waits");
    done(&attaching);
    rr_client_free(client);
}

int main(void)
{
    RUN(a_channel_is_current_until_its_name_is_gone_or_names_another_file);
    RUN(a_symbolic_link_and_what_is_no_file_are_not_the_channel);
    RUN(a_channel_without_a_path_has_none_to_be_asked_for);
    RUN(servers_are_counted_as_long_as_they_live);
    RUN(an_old_client_of_a_name_that_was_replaced_can_tell);
    RUN(every_call_that_sends_fails_at_once_without_a_server);
    RUN(so_do_those_that_send_integers);
    RUN(a_wait_ends_once_the_last_server_has_died_without_the_request);
    RUN(a_request_that_the_last_server_took_fails_with_it);
    RUN(a_server_that_leaves_ends_waits_as_one_that_dies);
    RUN(without_the_flag_a_call_waits_for_a_server);
    return 0;
}
