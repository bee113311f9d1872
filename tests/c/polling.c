/*
 * Programs that wait with epoll and its like, on channels that their peers opened by name: what the descriptor tells,
 * and when.
 */
#include "loops.h"

#define SHORTLY (20 * MS)

static void a_server_in_epoll_is_woken_by_a_client_that_knows_the_name_alone(void)
{
    const char *name = new_name();
    rr_server *server;
    EXPECT(rr_server_new(name, NULL, &server, NULL), 0);
    const gate may_send = new_gate();
    pid_t child = fork_child();
    if (child == 0) {
        rr_client *client;
        EXPECT(rr_client_new(name, NULL, &client, NULL), 0);
        for (int k = 0; k < 3; k++) {
            pass_gate(&may_send);
            request_text(client, "to whom it may concern", "thanks");
        }
        rr_client_free(client);
        child_ends();
    }
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event;
    memset(&event, 0, sizeof event);
    event.events = EPOLLIN;
    CHECK(epoll_ctl(epoll, EPOLL_CTL_ADD, rr_server_poll_fd(server), &event) == 0);
    for (int k = 0; k < 3; k++) {
        EXPECT(rr_server_arm(server), 0);
        open_gate(&may_send);
        CHECK(epoll_wait(epoll, &event, 1, (int)(PATIENCE / MS)) == 1);
        reply_text(server, take_text(server, "to whom it may concern"), "thanks");
    }
    expect_ended_well(child);
    close(epoll);
    drop_gate(&may_send);
    rr_server_free(server);
}

static void a_client_in_epoll_is_woken_by_a_server_that_knows_the_name_alone(void)
{
    const char *name = new_name();
    rr_client *client;
    const gate may_reply = new_gate();
    rr_server *first;
    EXPECT(rr_server_new(name, NULL, &first, NULL), 0);
    EXPECT(rr_client_new(name, NULL, &client, NULL), 0);
    pid_t child = fork_child();
    if (child == 0) {
        rr_server *server;
        EXPECT(rr_server_new(name, NULL, &server, NULL), 0);
        for (int k = 0; k < 3; k++) {
            uint64_t id = take_any(server);
            pass_gate(&may_reply);
            reply_text(server, id, "at last");
        }
        rr_server_free(server);
        child_ends();
    }
    int fd = rr_client_poll_fd(client);
    for (int k = 0; k < 3; k++) {
        uint64_t id = send_text(client, "in your own time");
        EXPECT(rr_client_arm(client, RR_ARM_REPLY), 0);
        open_gate(&may_reply);
        expect_woken(fd);
        collect_text(client, id, "at last");
    }
    expect_ended_well(child);
    drop_gate(&may_reply);
    rr_client_free(client);
    rr_server_free(first);
}

static void nothing_is_signalled_to_whom_did_not_arm(void)
{
    pair channel = open_pair(8);
    int server_fd = rr_server_poll_fd(channel.server), client_fd = rr_client_poll_fd(channel.client);
    CHECK(server_fd > 2 && client_fd > 2);
    EXPECT(rr_server_poll_fd(channel.server), server_fd);
    uint64_t id = send_text(channel.client, "unasked");
    CHECK(!is_readable(server_fd, SHORTLY));
    reply_text(channel.server, take_text(channel.server, "unasked"), "as well");
    CHECK(!is_readable(client_fd, SHORTLY));
    collect_text(channel.client, id, "as well");
    close_pair(&channel);
}

static void arming_tells_what_is_there_already(void)
{
    pair channel = open_pair(8);
    uint64_t id = send_text(channel.client, "early");
    EXPECT(rr_server_arm(channel.server), 1);
    EXPECT(rr_server_arm(channel.server), 1);
    uint64_t taken = take_text(channel.server, "early");
    EXPECT(rr_server_arm(channel.server), 0);
    EXPECT(rr_client_arm(channel.client, RR_ARM_REPLY), 0);
    reply_text(channel.server, taken, "early too");
    expect_woken(rr_client_poll_fd(channel.client));
    EXPECT(rr_client_arm(channel.client, RR_ARM_REPLY), 1);
    collect_text(channel.client, id, "early too");
    EXPECT(rr_client_arm(channel.client, RR_ARM_REPLY), 0);
    EXPECT(rr_client_arm(channel.client, RR_ARM_SLOT), 1);
    EXPECT(rr_client_arm(channel.client, RR_ARM_REPLY | RR_ARM_SLOT), 1);
    close_pair(&channel);
}

static void what_became_readable_stays_so_until_it_is_armed_again(void)
{
    pair channel = open_pair(8);
    int fd = rr_server_poll_fd(channel.server);
    for (int k = 0; k < 10; k++) {
        EXPECT(rr_server_arm(channel.server), 0);
        CHECK(!is_readable(fd, 0));
        uint64_t id = send_text(channel.client, "first");
        uint64_t behind = send_text(channel.client, "second");
        expect_woken(fd);
        expect_woken(fd);
        reply_text(channel.server, take_text(channel.server, "first"), "one");
        EXPECT(rr_server_arm(channel.server), 1);
        reply_text(channel.server, take_text(channel.server, "second"), "two");
        collect_text(channel.client, id, "one");
        collect_text(channel.client, behind, "two");
    }
    close_pair(&channel);
}

static void bad_arguments_are_refused(void)
{
    pair channel = open_pair(1);
    int64_t due;
    EXPECT(rr_server_poll_fd(NULL), -EINVAL);
    EXPECT(rr_client_poll_fd(NULL), -EINVAL);
    EXPECT(rr_server_arm(NULL), -EINVAL);
    EXPECT(rr_client_arm(NULL, RR_ARM_REPLY), -EINVAL);
    EXPECT(rr_server_wait(NULL, NULL), -EINVAL);
    EXPECT(rr_client_arm(channel.client, 0), -EINVAL);
    EXPECT(rr_client_arm(channel.client, RR_ARM_REPLY | 1), -EINVAL);
    EXPECT(rr_client_arm(channel.client, RR_WAIT_RESTART), -EINVAL);
    EXPECT(rr_channel_tend(NULL, &due), -EINVAL);
    EXPECT(rr_channel_tend(rr_server_channel(channel.server), NULL), -EINVAL);
    CHECK(helper_threads(NULL) == 0);
    close_pair(&channel);
}

/* ---- replies ---- */

static void what_is_sent_before_and_after_arming_is_watched(void)
{
    pair channel = open_pair(8);
    uint64_t ids[3];
    ids[0] = send_text(channel.client, "before the descriptor");
    int fd = rr_client_poll_fd(channel.client);
    ids[1] = send_text(channel.client, "before arming");
    EXPECT(rr_client_arm(channel.client, RR_ARM_REPLY), 0);
    ids[2] = send_text(channel.client, "after arming");
    static const char *const texts[] = {"before the descriptor", "before arming", "after arming"};
    uint64_t taken[3];
    for (int k = 0; k < 3; k++)
        taken[k] = take_text(channel.server, texts[k]);
    for (int k = 2; k >= 0; k--) {
        CHECK(!is_readable(fd, 0));
        reply_text(channel.server, taken[k], "seen");
        expect_woken(fd);
        collect_text(channel.client, ids[k], "seen");
        EXPECT(rr_client_arm(channel.client, RR_ARM_REPLY), 0);
    }
    close_pair(&channel);
}

static void a_loan_is_watched_when_it_is_sent(void)
{
    pair channel = open_pair(8);
    int fd = rr_client_poll_fd(channel.client);
    rr_buffer loan = RR_BUFFER_INIT;
    EXPECT(rr_client_loan(channel.client, &loan, within(0)), 0);
    memcpy(loan.data, "lent", 4);
    EXPECT(rr_client_arm(channel.client, RR_ARM_REPLY), 0);
    uint64_t id;
    EXPECT(commit_loan(channel.client, &loan, 4, &id), 0);
    reply_text(channel.server, take_text(channel.server, "lent"), "kept");
    expect_woken(fd);
    collect_text(channel.client, id, "kept");
    close_pair(&channel);
}

static void every_outcome_wakes(void)
{
    pair channel = open_pair(8);
    int fd = rr_client_poll_fd(channel.client);
    for (int k = 0; k < 3; k++) {
        uint64_t id = send_text(channel.client, "whatever");
        EXPECT(rr_client_arm(channel.client, RR_ARM_REPLY), 0);
        uint64_t taken = take_text(channel.server, "whatever");
        if (k == 0)
            EXPECT(rr_reply_error(channel.server, taken, 7, "seven"), 0);
        else if (k == 1)
            EXPECT(rr_dismiss(channel.server, taken), 0);
        else
            EXPECT(rr_reply(channel.server, taken, "", 0), 0);
        expect_woken(fd);
        EXPECT(rr_client_arm(channel.client, RR_ARM_REPLY), 1);
        CHECK(rr_client_get(channel.client, id, NULL, 0) != -EAGAIN);
        EXPECT(rr_client_arm(channel.client, RR_ARM_REPLY), 0);
    }
    close_pair(&channel);
}

static void a_reply_that_is_viewed_is_not_there_any_more(void)
{
    pair channel = open_pair(8);
    uint64_t id = send_text(channel.client, "to be read in place");
    int fd = rr_client_poll_fd(channel.client);
    reply_text(channel.server, take_text(channel.server, "to be read in place"), "long held");
    EXPECT(rr_client_arm(channel.client, RR_ARM_REPLY), 1);
    rr_view view;
    CHECK(rr_client_view(channel.client, id, &view, NULL, within(0)) >= 0);
    EXPECT(rr_client_arm(channel.client, RR_ARM_REPLY), 0);
    uint64_t other = send_text(channel.client, "meanwhile");
    CHECK(!is_readable(fd, SHORTLY));
    reply_text(channel.server, take_text(channel.server, "meanwhile"), "another");
    expect_woken(fd);
    collect_text(channel.client, other, "another");
    EXPECT(rr_client_release(channel.client, id), 0);
    close_pair(&channel);
}

/* ---- slots ---- */

static void a_client_is_woken_when_a_slot_comes_free(void)
{
    pair channel = open_pair(2);
    rr_client *waiting = another_client(&channel);
    int fd = rr_client_poll_fd(waiting);
    uint64_t id;
    for (int k = 0; k < 5; k++) {
        uint64_t held[2] = {send_text(channel.client, "held"), send_text(channel.client, "held")};
        EXPECT(rr_client_send(waiting, "", 0, &id), -ENOBUFS);
        EXPECT(rr_client_arm(waiting, RR_ARM_SLOT | RR_ARM_REPLY), 0);
        CHECK(!is_readable(fd, 0));
        EXPECT(rr_client_cancel(channel.client, held[1]), 0);
        expect_woken(fd);
        EXPECT(rr_client_send(waiting, "", 0, &id), 0);
        EXPECT(rr_client_cancel(waiting, id), 0);
        EXPECT(rr_client_cancel(channel.client, held[0]), 0);
    }
    rr_client_free(waiting);
    close_pair(&channel);
}

static void *sends_and_waits(void *argument)
{
    uint64_t id;
    EXPECT(rr_client_send_wait((rr_client *)argument, "", 0, &id, PATIENCE), 0);
    return NULL;
}

/* Two slots come free, and one wake-up is given: the loop that got it takes one. */
static void a_loop_that_takes_a_slot_wakes_the_next_for_what_is_left(void)
{
    pair channel = open_pair(2);
    rr_client *loop = another_client(&channel), *blocked = another_client(&channel);
    int fd = rr_client_poll_fd(loop);
    uint64_t held[2] = {send_text(channel.client, "held"), send_text(channel.client, "held")};
    EXPECT(rr_client_arm(loop, RR_ARM_SLOT), 0);
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, sends_and_waits, blocked) == 0);
    EXPECT(rr_client_cancel(channel.client, held[0]), 0);
    EXPECT(rr_client_cancel(channel.client, held[1]), 0);
    uint64_t id;
    expect_woken(fd);
    EXPECT(rr_client_send(loop, "", 0, &id), 0);
    CHECK(pthread_join(thread, NULL) == 0);
    rr_client_free(loop);
    rr_client_free(blocked);
    close_pair(&channel);
}

/* ---- ends ---- */

static void stopping_and_interrupting_wake_a_loop(void)
{
    pair channel = open_pair(1);
    int server_fd = rr_server_poll_fd(channel.server), client_fd = rr_client_poll_fd(channel.client);
    EXPECT(rr_server_arm(channel.server), 0);
    EXPECT(rr_server_interrupt(channel.server), 0);
    expect_woken(server_fd);
    EXPECT(rr_server_arm(channel.server), 0);
    CHECK(!is_readable(server_fd, 0));
    EXPECT(rr_server_wake(channel.server), 0);
    expect_woken(server_fd);
    EXPECT(rr_server_arm(channel.server), 0);
    EXPECT(rr_server_stop(channel.server), 0);
    expect_woken(server_fd);
    EXPECT(rr_server_arm(channel.server), -ESHUTDOWN);
    EXPECT(rr_server_poll_fd(channel.server), -ESHUTDOWN);
    int64_t due;
    EXPECT(rr_channel_tend(rr_server_channel(channel.server), &due), -ESHUTDOWN);
    EXPECT(rr_client_arm(channel.client, RR_ARM_REPLY), 0);
    EXPECT(rr_client_stop(channel.client), 0);
    expect_woken(client_fd);
    EXPECT(rr_client_arm(channel.client, RR_ARM_REPLY), -ESHUTDOWN);
    close_pair(&channel);
}

static void a_program_that_closes_the_descriptor_gets_another(void)
{
    pair channel = open_pair(1);
    close(rr_server_poll_fd(channel.server));
    EXPECT(rr_server_arm(channel.server), 0);
    int fd = rr_server_poll_fd(channel.server);
    CHECK(fd > 2);
    EXPECT(rr_server_arm(channel.server), 0);
    send_text(channel.client, "");
    expect_woken(fd);
    close_pair(&channel);
}

int main(void)
{
    RUN(a_server_in_epoll_is_woken_by_a_client_that_knows_the_name_alone);
    RUN(a_client_in_epoll_is_woken_by_a_server_that_knows_the_name_alone);
    RUN(nothing_is_signalled_to_whom_did_not_arm);
    RUN(arming_tells_what_is_there_already);
    RUN(what_became_readable_stays_so_until_it_is_armed_again);
    RUN(bad_arguments_are_refused);
    RUN(what_is_sent_before_and_after_arming_is_watched);
    RUN(a_loan_is_watched_when_it_is_sent);
    RUN(every_outcome_wakes);
    RUN(a_reply_that_is_viewed_is_not_there_any_more);
    RUN(a_client_is_woken_when_a_slot_comes_free);
    RUN(a_loop_that_takes_a_slot_wakes_the_next_for_what_is_left);
    RUN(stopping_and_interrupting_wake_a_loop);
    RUN(a_program_that_closes_the_descriptor_gets_another);
    return 0;
}
