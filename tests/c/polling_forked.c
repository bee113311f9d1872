/* Event loops of a forked child whose parent has some as well. */
#include "loops.h"

static void a_forked_child_has_a_descriptor_and_a_thread_of_its_own(void)
{
    pair channel = open_pair(8);
    /* Not armed: it would be woken first, and this test leaves the first message to the child. */
    int fd = rr_server_poll_fd(channel.server);
    EXPECT(rr_client_arm(channel.client, RR_ARM_REPLY), 0);
    until_helpers(2, NULL);
    const gate ready = new_gate();
    pid_t child = fork_child();
    if (child == 0) {
        CHECK(helper_threads(NULL) == 0);
        int own = rr_server_poll_fd(channel.server);
        CHECK(own > 2 && own != fd);
        until_helpers(1, NULL);
        EXPECT(rr_server_arm(channel.server), 0);
        open_gate(&ready);
        expect_woken(own);
        reply_text(channel.server, take_text(channel.server, "for the child"), "done");
        /* Of the client only arming: that makes a descriptor as well. */
        EXPECT(rr_client_arm(channel.client, RR_ARM_REPLY), 0);
        until_helpers(2, NULL);
        close_pair(&channel);
        CHECK(helper_threads(NULL) == 0);
        child_ends();
    }
    pass_gate(&ready);
    uint64_t id = send_text(channel.client, "for the child");
    expect_ended_well(child);
    collect_text(channel.client, id, "done");
    EXPECT(rr_server_arm(channel.server), 0);
    send_text(channel.client, "for the parent");
    expect_woken(fd);
    take_text(channel.server, "for the parent");
    close_pair(&channel);
    drop_gate(&ready);
}

int main(void)
{
    RUN(a_forked_child_has_a_descriptor_and_a_thread_of_its_own);
    return 0;
}
